// What a subscription tells of its channel.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it, mock } from 'node:test';
import { Switchboard } from '../dist/index.js';
import { FakeSocket, fakeTime, settle } from './fakes.js';

let time;
beforeEach(() => { time = fakeTime(); });
afterEach(() => time.end());

const make = (options = {}, url = 'ws://host/ws') => new Switchboard(url, { webSocket: FakeSocket, seed: 1, ...options });

describe('channels', () => {
  it('messages, presence, gaps and epochs', () => {
    const client = make();
    const sub = client.subscribe('a');
    const seen = [];
    for (const type of ['status', 'subscribed', 'message', 'presence', 'gap', 'epoch']) sub.on(type, (event) => seen.push([type, event.seq ?? event.from ?? event.count ?? event]));
    FakeSocket.last.welcome().letIn(4).receive({ type: 'presence', channel: 'a', count: 2, users: ['ann', 'bob'] });
    FakeSocket.last.receive({ type: 'message', channel: 'a', content: 1, sender: 'bob', seq: 6 }).end();
    time.pass(500);
    FakeSocket.last.welcome().letIn(0, 'e2');
    assert.deepEqual(seen, [['status', 'active'], ['subscribed', 4], ['presence', 2], ['gap', 5], ['message', 6], ['status', 'pending'], ['status', 'active'], ['subscribed', 0], ['epoch', 'e1']]);
  });

  it('messages have the epoch of their channel, and a key that stays the same', () => {
    const client = make();
    const seen = [];
    for (const channel of ['a', 'b']) client.subscribe(channel).on('message', ({ epoch, id }) => seen.push([epoch, id]));
    const say = (channel, seq) => FakeSocket.last.receive({ type: 'message', channel, content: 1, seq });
    const arrive = (channel, epoch, seq, more) => FakeSocket.last.receive({ type: 'subscribed', channel, epoch, seq, ...more });
    FakeSocket.last.welcome();
    arrive('a', 'e1', 0, { first: 1 });
    arrive('b', 'e7', 8);
    say('a', 1); say('b', 9); say('a', undefined); say('a', undefined); say('a', 2);
    FakeSocket.last.end();
    time.pass(500);
    FakeSocket.last.welcome();
    arrive('a', 'e1', 3, { first: 1, recovered: true });
    arrive('b', 'e8', 0);
    say('a', 3); say('b', 1);
    const volatiles = seen.splice(2, 2);
    assert.deepEqual(seen, [['e1', 'e1.1'], ['e7', 'e7.9'], ['e1', 'e1.2'], ['e1', 'e1.3'], ['e8', 'e8.1']]);
    assert.equal(new Set(volatiles.map(([, id]) => id)).size, 2);
    assert.ok(volatiles.every(([epoch, id]) => epoch === 'e1' && !seen.some((one) => one[1] === id)));
  });

  it('are counted: the last use leaves', () => {
    const client = make();
    FakeSocket.last.welcome();
    const [one, two] = [client.subscribe('a'), client.subscribe('a')];
    FakeSocket.last.letIn();
    const three = client.subscribe('a');
    assert.equal(three.status, 'active');
    one.close(); one.close(); two.close();
    assert.deepEqual(FakeSocket.last.take(), []);
    three.close();
    assert.equal(FakeSocket.last.take()[0].type, 'unsubscribe');
    assert.equal(one.status, 'closed');
  });

  it('refused', () => {
    const client = make();
    const sub = client.subscribe('a');
    const refusals = [];
    sub.on('refused', ({ frame }) => refusals.push(frame.code));
    const [{ id }] = FakeSocket.last.welcome().take();
    FakeSocket.last.receive({ type: 'error', code: 'room_full', message: 'full', id, channel: 'a' });
    assert.deepEqual([sub.status, refusals], ['refused', ['room_full']]);
  });

  it('end with their signal, which is let go of when they end before', () => {
    const client = make();
    assert.equal(client.subscribe('a', { signal: AbortSignal.abort() }).status, 'closed');
    const { signal } = new AbortController();
    let listeners = 0;
    mock.method(signal, 'addEventListener', () => { listeners += 1; });
    mock.method(signal, 'removeEventListener', () => { listeners -= 1; });
    client.subscribe('a', { signal }).close();
    assert.equal(listeners, 0);
    assert.deepEqual(FakeSocket.last.welcome().take(), []);
  });

  it('for await, until closed', async () => {
    const client = make();
    const abort = new AbortController();
    const sub = client.subscribe('a', { signal: abort.signal });
    FakeSocket.last.welcome().letIn();
    const seen = [];
    const done = (async () => { for await (const { content } of sub) seen.push(content); })();
    await settle();
    for (let seq = 1; seq <= 3; seq += 1) FakeSocket.last.receive({ type: 'message', channel: 'a', content: seq, sender: 'bob', seq });
    await settle();
    abort.abort();
    await done;
    assert.deepEqual(seen, [1, 2, 3]);
  });

  it('for await goes on over a reconnect, and ends with a break', async () => {
    const client = make();
    const sub = client.subscribe('a');
    FakeSocket.last.welcome().letIn();
    const seen = [];
    const done = (async () => { for await (const { content } of sub) { seen.push(content); if (content === 2) break; } })();
    await settle();
    FakeSocket.last.receive({ type: 'message', channel: 'a', content: 1, seq: 1 }).end();
    time.pass(500);
    FakeSocket.last.welcome().letIn(1).receive({ type: 'message', channel: 'a', content: 2, seq: 2 });
    await done;
    assert.deepEqual(seen, [1, 2]);
  });

  it('for await that is ended from outside ends at once, while it waits for a message', async () => {
    const client = make();
    const sub = client.subscribe('a');
    FakeSocket.last.welcome().letIn();
    const messages = sub[Symbol.asyncIterator]();
    const next = messages.next();
    await settle();
    const ended = messages.return();
    let told = 0;
    for (const promise of [next, ended]) promise.then(() => { told += 1; });
    await settle();
    assert.equal(told, 2, 'without another message');
    assert.deepEqual(await next, { done: true, value: undefined });
    FakeSocket.last.receive({ type: 'message', channel: 'a', content: 1, seq: 1 });
    assert.deepEqual(await messages.next(), { done: true, value: undefined });
    const unused = sub[Symbol.asyncIterator]();
    assert.deepEqual(await unused.return(), { done: true, value: undefined });
    assert.deepEqual(await unused.next(), { done: true, value: undefined });
  });

  it('for await that is read too slowly gives what waits, and then fails', async () => {
    const client = make();
    const sub = client.subscribe('a');
    FakeSocket.last.welcome().letIn();
    const messages = sub[Symbol.asyncIterator]();
    const first = messages.next();
    await settle();
    for (let seq = 1; seq <= 1_100; seq += 1) FakeSocket.last.receive({ type: 'message', channel: 'a', content: seq, seq });
    const seen = [(await first).value.seq];
    await assert.rejects(async () => { for await (const { seq } of messages) seen.push(seq); }, { code: 'overflow' });
    assert.deepEqual(seen, Array.from({ length: 1_024 }, (_, i) => i + 1));
  });

  it('for await gives all that came before the subscription was closed', async () => {
    const client = make();
    const sub = client.subscribe('a');
    FakeSocket.last.welcome().letIn();
    const messages = sub[Symbol.asyncIterator]();
    const first = messages.next();
    await settle();
    for (let seq = 1; seq <= 3; seq += 1) FakeSocket.last.receive({ type: 'message', channel: 'a', content: seq, seq });
    sub.close();
    const seen = [(await first).value.seq];
    for await (const { seq } of messages) seen.push(seq);
    assert.deepEqual(seen, [1, 2, 3]);
  });

  it('one that was refused is asked for again by the next use of it', () => {
    const client = make();
    const sub = client.subscribe('a');
    const [{ id }] = FakeSocket.last.welcome().take();
    FakeSocket.last.receive({ type: 'error', code: 'room_full', message: 'full', id, channel: 'a' });
    const again = client.subscribe('a');
    assert.deepEqual([sub.status, again.status], ['pending', 'pending']);
    FakeSocket.last.letIn();
    assert.deepEqual([sub.status, again.status], ['active', 'active']);
  });
});

describe('the lobby of the address, subscribed late', () => {
  it('has messages with the epoch that was told before', () => {
    const client = make({}, 'ws://host/ws/lobby');
    const socket = FakeSocket.last.welcome().receive({ type: 'subscribed', channel: 'lobby', seq: 12, epoch: 'e1' });
    const ids = [];
    client.subscribe('lobby').on('message', ({ id }) => ids.push(id));
    const [{ id }] = socket.take();
    socket.receive({ type: 'error', code: 'already_subscribed', message: 'already in', id, channel: 'lobby' }).receive({ type: 'message', channel: 'lobby', content: 1, seq: 13 });
    assert.deepEqual(ids, ['e1.13']);
  });

  it('is entered, with the presence that was told before', async () => {
    const client = make({}, 'ws://host/ws/lobby');
    const errors = [];
    client.on('error', (error) => errors.push(error));
    const socket = FakeSocket.last.welcome().receive({ type: 'subscribed', channel: 'lobby', seq: 12, epoch: 'e1' });
    socket.receive({ type: 'presence', channel: 'lobby', count: 2, users: ['ann', 'bob'] });
    const sub = client.subscribe('lobby');
    const told = [];
    sub.on('refused', () => told.push('refused'));
    sub.on('status', (status) => told.push(status, sub.presence?.users));
    sub.on('gap', ({ from, to }) => told.push([from, to]));
    const waits = client.publish('lobby', 1);
    const [{ id }, ...more] = socket.take();
    assert.deepEqual(more, []);
    socket.receive({ type: 'error', code: 'already_subscribed', message: 'already in', id, channel: 'lobby' });
    assert.deepEqual([told, sub.status], [['active', ['ann', 'bob']], 'active']);
    socket.receive({ type: 'ack', id: 2, seq: 13 });
    assert.equal(await waits, 13);
    socket.receive({ type: 'message', channel: 'lobby', content: 2, seq: 15 });
    assert.deepEqual(told.at(-1), [14, 14]);
    assert.deepEqual(errors, []);
    sub.close();
    assert.deepEqual(socket.take().at(-1), { type: 'unsubscribe', channel: 'lobby', id: 3 });
  });
});
