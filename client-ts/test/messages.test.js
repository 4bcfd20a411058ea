// What is sent and what arrives.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it, mock } from 'node:test';
import { Switchboard, SwitchboardError } from '../dist/index.js';
import { FakeSocket, fakeTime, settle } from './fakes.js';

let time;
beforeEach(() => { time = fakeTime(); });
afterEach(() => time.end());

const make = (options = {}) => new Switchboard('ws://host/ws', { webSocket: FakeSocket, seed: 1, ...options });

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

  it('a volatile message has no number and never waits; a message may be the value of a key', async () => {
    const client = make();
    await assert.rejects(client.publish('a', 1, { volatile: true }), { code: 'not_connected' });
    FakeSocket.last.welcome();
    const sent = client.publish('a', 1, { volatile: true });
    client.publish('a', null, { key: 'ann' });
    assert.deepEqual(FakeSocket.last.take(), [{ type: 'message', channel: 'a', volatile: true, id: 2, content: 1 }, { type: 'message', channel: 'a', key: 'ann', id: 3, content: null }]);
    FakeSocket.last.receive({ type: 'ack', id: 2 });
    assert.equal(await sent, 0);
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

  it('all that is done is logged, where that is asked for, but for tokens', async () => {
    const lines = [];
    const client = make({ debug: (line) => lines.push(line), getToken: () => 'secret-1' });
    await settle();
    FakeSocket.last.welcome().receive({ type: 'direct', content: 'psst', sender: 'bob' });
    client.setToken('secret-2');
    client.publish('a', 'hello');
    client.close();
    assert.deepEqual(lines.map(({ type, state, frame }) => [type, state?.status ?? frame?.type].join(' ').trim()),
      ['state connecting', 'get_token', 'dial', 'state connected', 'deliver direct', 'send auth', 'send message', 'close', 'failed', 'state stopped']);
    assert.doesNotMatch(JSON.stringify(lines), /secret/);
    assert.deepEqual(FakeSocket.last.take()[0], { type: 'auth', token: 'secret-2' });
  });

  it('debug: true logs to the console', () => {
    const log = mock.method(console, 'debug', () => {});
    make({ debug: true }).close();
    assert.equal(log.mock.calls.at(-1).arguments[0].state.status, 'stopped');
    make({ debug: false }).close();
    make().close();
    assert.equal(log.mock.callCount(), 4);
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
