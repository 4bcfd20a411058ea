import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it, mock } from 'node:test';
import { Switchboard, SwitchboardError } from '../dist/index.js';
import { FakeSocket, fakeTime, settle } from './fakes.js';

let time;
beforeEach(() => { time = fakeTime(); });
afterEach(() => time.end());

const make = (options = {}, url = 'ws://host/ws') => new Switchboard(url, { webSocket: FakeSocket, seed: 1, ...options });

describe('connecting', () => {
  it('offers the protocol, and tells its states', () => {
    const client = make({ protocols: ['other'] });
    const states = [];
    client.on('state', ({ status }) => states.push(status));
    assert.equal(client.state.status, 'connecting');
    assert.equal(FakeSocket.last.url, 'ws://host/ws');
    assert.deepEqual(FakeSocket.last.protocols, ['switchboard.v1.json', 'other']);
    FakeSocket.last.welcome();
    assert.equal(client.state.welcome.user, 'ann');
    client.close();
    assert.deepEqual(states, ['connected', 'stopped']);
    assert.deepEqual(FakeSocket.last.closed, { code: 1000, reason: '' });
  });

  it('tells the last close and when it tries again, as of Date.now()', () => {
    const client = make();
    FakeSocket.last.welcome().end(1011, 'internal');
    assert.deepEqual(client.state, { status: 'waiting', why: 'backoff', until: Date.now() + 184, last: { code: 1011, reason: 'internal', phase: 'welcomed', silent: false } });
    time.pass(183);
    assert.equal(FakeSocket.all.length, 1);
    time.pass(1);
    assert.equal(FakeSocket.all.length, 2);
  });

  it('asks for the address anew each time', () => {
    let n = 0;
    make({}, () => `ws://host/${n += 1}`);
    FakeSocket.last.end();
    time.pass(500);
    assert.deepEqual(FakeSocket.all.map(({ url }) => url), ['ws://host/1', 'ws://host/2']);
  });

  it('lets go of a silent socket: nothing of it is heard any more', () => {
    const client = make();
    const old = FakeSocket.last.welcome();
    time.pass(25_000);
    assert.equal(old.take()[0].type, 'ping');
    time.pass(10_000);
    assert.ok(old.closed);
    assert.equal(client.state.last.silent, true);
    time.pass(1_000);
    FakeSocket.last.welcome();
    old.end(4500, 'too late');
    assert.equal(client.state.status, 'connected');
  });

  it('gives opening as long as a server may take, 15 s, or openTimeout', () => {
    for (const [options, ms] of [[{}, 15_000], [{ openTimeout: 100 }, 100]]) {
      const client = make(options);
      time.pass(ms - 1);
      assert.equal(client.state.status, 'connecting');
      time.pass(1);
      assert.deepEqual([client.state.status, client.state.last.silent], ['waiting', true]);
      client.close();
    }
  });

  it('gives up after maxAttempts', () => {
    const client = make({ maxAttempts: 2 });
    FakeSocket.last.end();
    time.pass(20_000);
    FakeSocket.last.end();
    assert.deepEqual([client.state.status, client.state.why], ['stopped', 'attempts']);
  });

  it('is closed by its signal, and does not begin with one that is aborted', () => {
    const abort = new AbortController();
    const client = make({ signal: abort.signal });
    abort.abort();
    assert.equal(client.state.status, 'stopped');
    make({ signal: abort.signal });
    assert.equal(FakeSocket.all.length, 1);
  });

  it('a long wait does not overflow the timer', () => {
    make();
    FakeSocket.last.welcome().receive({ type: 'bye', code: 1001, reason: 'draining', reconnect_in_ms: 2 ** 31 + 10 }).end(1001, 'draining');
    time.pass(1_000);
    assert.equal(FakeSocket.all.length, 1);
  });

  it('sleep counts, though performance.now() stood still', () => {
    make();
    const socket = FakeSocket.last.welcome();
    const real = performance.now;
    const frozen = performance.now();
    performance.now = () => frozen + Math.max(0, Date.now() - 3_600_000 - 1_000_000);
    time.pass(3_600_000);
    performance.now = real;
    assert.equal(socket.take()[0]?.type, 'ping');
  });
});

describe('tokens', () => {
  it('travel as a subprotocol, in base64url', async () => {
    make({ getToken: ({ reason }) => `${reason}?~ü` });
    await settle();
    assert.deepEqual(FakeSocket.last.protocols, ['switchboard.v1.json', `base64url.bearer.switchboard.${Buffer.from('connect?~ü').toString('base64url')}`]);
  });

  it('or in the query, where that is asked for', async () => {
    make({ getToken: () => 'a b', tokenInQuery: true }, 'ws://host/ws?x=1');
    await settle();
    assert.equal(FakeSocket.last.url, 'ws://host/ws?x=1&token=a+b');
    assert.deepEqual(FakeSocket.last.protocols, ['switchboard.v1.json']);
  });

  it('are asked for anew after close(): somebody else may sign in', async () => {
    let who = 'ann';
    const client = make({ getToken: ({ reason }) => `${reason}-${who}`, tokenInQuery: true });
    await settle();
    FakeSocket.last.welcome();
    client.close();
    who = 'bob';
    client.connect();
    await settle();
    assert.equal(FakeSocket.last.url, 'ws://host/ws?token=connect-bob');
    FakeSocket.last.welcome();
    who = 'cay';
    client.reconnect();
    time.pass(1_000);
    assert.equal(FakeSocket.last.url, 'ws://host/ws?token=connect-bob');
    FakeSocket.last.end(4003, 'forbidden');
    client.close();
    client.connect();
    await settle();
    assert.equal(FakeSocket.last.url, 'ws://host/ws?token=connect-cay');
  });

  it('are asked for once more after 4001', async () => {
    const reasons = [];
    const client = make({ getToken: ({ reason }) => { reasons.push(reason); return 't'; } });
    await settle();
    FakeSocket.last.open().end(4001, 'unauthorized');
    time.pass(1_000);
    await settle();
    FakeSocket.last.open().end(4001, 'unauthorized');
    assert.deepEqual(reasons, ['connect', 'unauthorized']);
    assert.deepEqual([client.state.status, client.state.why], ['stopped', 'code']);
  });

  it('a failure is an error event and a new try; none at all stops', async () => {
    const answers = [() => { throw new Error('down'); }, () => Promise.reject(new Error('still')), () => null];
    const errors = [];
    const client = make({ getToken: () => answers.shift()() });
    client.on('error', (error) => errors.push(error.message));
    for (let i = 0; i < 3; i += 1) { await settle(); time.pass(5_000); }
    assert.deepEqual(errors, ['down', 'still']);
    assert.equal(client.state.why, 'token');
  });

  it('the signal tells that nobody waits any more', async () => {
    let asked;
    const client = make({ getToken: (request) => { asked = request; return new Promise(() => {}); } });
    await settle();
    client.close();
    assert.equal(asked.signal.aborted, true);
  });
});

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

describe('presence', () => {
  const present = (frame) => FakeSocket.last.receive({ type: 'presence', channel: 'a', ...frame });

  it('is state of the channel, whoever uses it when', () => {
    const client = make();
    const first = client.subscribe('a');
    assert.equal(first.presence, null);
    FakeSocket.last.welcome().letIn();
    present({ count: 2, users: ['ann', 'bob'] });
    present({ count: 2, joined: ['cay'], left: ['bob'] });
    const second = client.subscribe('a');
    assert.deepEqual(second.presence, { count: 2, users: ['ann', 'cay'], complete: true });
    assert.deepEqual(first.presence, second.presence);
    present({ count: 3, joined: ['dee'] });
    assert.deepEqual(second.presence, { count: 3, users: ['ann', 'cay', 'dee'], complete: true });
  });

  it('is told before its event, and says whether the names are all', () => {
    const client = make();
    const sub = client.subscribe('a');
    const seen = [];
    sub.on('presence', ({ count }) => seen.push([count, sub.presence.count, sub.presence.complete]));
    FakeSocket.last.welcome().letIn();
    present({ count: 60, users: ['ann'] });
    present({ count: 61, joined: ['bob'] });
    present({ count: 2, users: ['ann', 'bob'] });
    present({ count: 2 });
    present({ count: 2, joined: ['cay'], left: ['bob'] });
    assert.deepEqual(seen, [[60, 60, false], [61, 61, false], [2, 2, true], [2, 2, false], [2, 2, false]]);
  });

  it('is not known once the channel is not active', () => {
    const client = make();
    const sub = client.subscribe('a');
    FakeSocket.last.welcome().letIn();
    present({ count: 1, users: ['ann'] });
    FakeSocket.last.receive({ type: 'unsubscribed', channel: 'a' });
    assert.deepEqual([sub.status, sub.presence], ['refused', null]);
    client.subscribe('a').close();
    FakeSocket.last.letIn();
    present({ count: 1, users: ['ann'] });
    FakeSocket.last.end();
    assert.equal(sub.presence, null);
    time.pass(500);
    FakeSocket.last.welcome().letIn();
    assert.equal(sub.presence, null);
    present({ count: 1, users: ['ann'] });
    sub.close();
    assert.equal(client.subscribe('a').presence, null);
  });
});

describe('sending', () => {
  it('gives the seq, and the number delivered', async () => {
    const client = make();
    FakeSocket.last.welcome();
    const [seq, delivered] = [client.publish('a', { any: 'json' }, { echo: true }), client.direct('bob', 'psst')];
    assert.deepEqual(FakeSocket.last.take(), [
      { type: 'message', channel: 'a', content: { any: 'json' }, echo: true, id: 1 }, { type: 'direct', to: 'bob', content: 'psst', id: 2 }]);
    FakeSocket.last.receive({ type: 'ack', id: 2, delivered: 3 }).receive({ type: 'ack', id: 1, seq: 7 });
    assert.deepEqual(await Promise.all([seq, delivered]), [7, 3]);
  });

  it('fails with the server\'s code, or ours', async () => {
    const client = make({ queue: false });
    await assert.rejects(client.publish('a', 1), { code: 'not_connected' });
    FakeSocket.last.welcome();
    const direct = client.direct('bob', 1);
    FakeSocket.last.receive({ type: 'error', code: 'not_connected', message: 'nobody there', id: 2 });
    await assert.rejects(direct, (error) => error instanceof SwitchboardError && error.message === 'nobody there' && error.frame.id === 2);
    const lost = client.publish('a', 1);
    FakeSocket.last.end();
    await assert.rejects(lost, { code: 'unconfirmed' });
  });

  it('waits for a connection, unless told not to', async () => {
    for (const options of [{}, { queue: true }, { queue: undefined }]) {
      const client = make(options);
      const sent = client.publish('a', 1);
      FakeSocket.last.welcome().receive({ type: 'ack', id: 1, seq: 7 });
      assert.equal(await sent, 7);
    }
    await assert.rejects(make().publish('a', 1, { queue: false }), { code: 'not_connected' });
    await assert.rejects(make({ queue: false }).publish('a', 1), { code: 'not_connected' });
  });

  it('nobody has to look at the promise', async () => {
    make({ queue: false }).publish('a', 1);
    await settle();
  });

  it('measures what the server takes', async () => {
    const client = make();
    FakeSocket.last.welcome({ max_bytes: 1_000 });
    await assert.rejects(client.publish('a', 'ü'.repeat(480)), { code: 'too_large' });
    client.publish('a', 'ü'.repeat(400));
    assert.equal(FakeSocket.last.take().length, 1);
  });

  it('waits, where that is asked for, until it is given up', async () => {
    const client = make({ queue: { count: 5 } });
    const abort = new AbortController();
    const [one, two] = [client.publish('a', 1, { signal: abort.signal }), client.publish('a', 2)];
    abort.abort();
    await assert.rejects(one, { code: 'aborted' });
    FakeSocket.last.welcome();
    assert.deepEqual(FakeSocket.last.take().map(({ content }) => content), [2]);
    FakeSocket.last.receive({ type: 'ack', id: 2, seq: 1 });
    assert.equal(await two, 1);
  });

  it('lets go of the signal once there is an answer', async () => {
    const client = make({ queue: false });
    const { signal } = new AbortController();
    let listeners = 0;
    mock.method(signal, 'addEventListener', () => { listeners += 1; });
    mock.method(signal, 'removeEventListener', () => { listeners -= 1; });
    await assert.rejects(client.publish('a', 1, { signal }), { code: 'not_connected' });
    await settle();
    assert.equal(listeners, 0);
  });

  it('what a listener sends goes after what is being done', () => {
    const client = make();
    client.subscribe('a');
    client.on('state', ({ status }) => { if (status === 'connected') client.direct('bob', 1); });
    FakeSocket.last.welcome();
    assert.deepEqual(FakeSocket.last.take().map(({ type }) => type), ['subscribe', 'direct']);
  });
});

describe('events', () => {
  it('direct messages, errors, round trips and every frame', () => {
    const client = make();
    const seen = [];
    for (const type of ['direct', 'error', 'rtt']) client.on(type, (event) => seen.push([type, event.content ?? event.code ?? event]));
    const off = client.on('frame', ({ type }) => seen.push(type));
    FakeSocket.last.welcome().receive({ type: 'direct', content: 'psst', sender: 'bob' }).receive({ type: 'error', code: 'internal', message: 'oh' });
    off();
    client.ping();
    const [{ timestamp }] = FakeSocket.last.take();
    time.pass(12);
    FakeSocket.last.receive({ type: 'pong', timestamp });
    assert.deepEqual(seen, [['direct', 'psst'], 'direct', ['error', 'internal'], 'error', ['rtt', 12]]);
  });

  it('health_ping is answered, rubbish is not minded', () => {
    make();
    FakeSocket.last.welcome().receive('{').receive('null').receive('5').receive('[]').receive({ type: 'health_ping', timestamp: 9 });
    assert.deepEqual(FakeSocket.last.take(), [{ type: 'health_pong', timestamp: 9 }]);
  });

  it('a listener that throws stops nobody', () => {
    const client = make();
    const seen = [];
    let later;
    mock.method(globalThis, 'queueMicrotask', (what) => { later = what; });
    client.on('state', () => { throw new Error('mine'); });
    client.on('state', ({ status }) => seen.push(status));
    FakeSocket.last.welcome();
    assert.deepEqual(seen, ['connected']);
    assert.throws(later, { message: 'mine' });
  });
});

describe('the page', () => {
  let target;
  const fire = (on, type, more = {}) => on.dispatchEvent(Object.assign(new Event(type), more));
  beforeEach(() => {
    target = new EventTarget();
    globalThis.addEventListener = target.addEventListener.bind(target);
    globalThis.document = Object.assign(new EventTarget(), { visibilityState: 'visible' });
  });
  afterEach(() => {
    delete globalThis.addEventListener;
    delete globalThis.document;
  });

  for (const [name, act] of [
    ['online', () => fire(target, 'online')], ['visible', () => fire(document, 'visibilitychange')],
    ['resumed', () => fire(document, 'resume')], ['shown again', () => fire(target, 'pageshow', { persisted: true })],
  ]) {
    it(`${name} while waiting: connects now; while open: asks`, () => {
      make();
      FakeSocket.last.end();
      act();
      assert.equal(FakeSocket.all.length, 2);
      FakeSocket.last.welcome();
      act();
      assert.equal(FakeSocket.last.take()[0].type, 'ping');
    });
  }

  it('hidden: nothing', () => {
    make();
    FakeSocket.last.end();
    document.visibilityState = 'hidden';
    fire(document, 'visibilitychange');
    assert.equal(FakeSocket.all.length, 1);
  });

  it('offline: waits for the network', () => {
    const client = make();
    FakeSocket.last.end();
    fire(target, 'offline');
    assert.equal(client.state.why, 'offline');
    fire(target, 'online');
    assert.equal(FakeSocket.all.length, 2);
  });

  it('put away: no socket is left open; closed for good it is left alone', () => {
    const client = make();
    FakeSocket.last.welcome();
    fire(target, 'pagehide', { persisted: false });
    assert.equal(FakeSocket.last.closed, null);
    fire(target, 'pagehide', { persisted: true });
    assert.deepEqual(FakeSocket.last.closed, { code: 1000, reason: 'bfcache' });
    assert.equal(client.state.until, null);
    fire(target, 'pageshow', { persisted: true });
    assert.equal(FakeSocket.all.length, 2);
  });

  it('is not listened to once stopped, and is again after a new start', () => {
    const client = make();
    client.close();
    client.connect();
    FakeSocket.last.end();
    fire(target, 'online');
    assert.equal(FakeSocket.all.length, 3);
  });
});
