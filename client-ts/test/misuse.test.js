// What can never work is said at once, and not tried again and again.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { Switchboard } from '../dist/index.js';
import { Switchboard as Shared } from '../dist/shared.js';
import { transports } from '../dist/sse.js';
import { FakeSocket, fakeTime } from './fakes.js';

let time;
const { WebSocket } = globalThis;
beforeEach(() => { time = fakeTime(); });
afterEach(() => {
  time.end();
  delete globalThis.location;
  globalThis.WebSocket = WebSocket;
});

const make = (url, options = {}) => new Switchboard(url, { webSocket: FakeSocket, seed: 1, ...options });

describe('the constructor throws', () => {
  it('where there is no WebSocket', () => {
    delete globalThis.WebSocket;
    assert.throws(() => new Switchboard('ws://host/ws'), /webSocket/);
    globalThis.WebSocket = FakeSocket;
    const client = new Switchboard('ws://host/ws');
    assert.equal(client.state.status, 'connecting');
    client.close();
  });

  for (const url of ['not an address', '', '/ws', 'ftp://host/ws', 'ws://host/ws#part', 'ws://host:port/']) {
    it(`for the address "${url}"`, () => assert.throws(() => make(url), TypeError));
  }

  it('for a protocol that is none', () => {
    assert.throws(() => make('ws://host/ws', { protocols: ['two words'] }), TypeError);
    assert.throws(() => make('ws://host/ws', { protocols: [''] }), TypeError);
  });

  it('or connect(), where that was put off, as on a server that renders pages', () => {
    const client = make('not an address', { autoConnect: false });
    assert.throws(() => client.connect(), TypeError);
    assert.throws(() => client.reconnect(), TypeError);
    assert.equal(client.state.status, 'idle');
    assert.equal(FakeSocket.all.length, 0);
  });
});

it('an address may be that of a page, or relative to one', () => {
  globalThis.location = { href: 'https://host/room/1' };
  for (const [url, full] of [['/ws', 'wss://host/ws'], ['https://other/ws', 'wss://other/ws'], ['ws', 'wss://host/room/ws'], [new URL('http://other/ws'), 'ws://other/ws']]) {
    make(url).close();
    assert.equal(FakeSocket.last.url, full);
  }
});

it('options that are null are none', async () => {
  new Switchboard('ws://host/ws', { webSocket: FakeSocket, queue: null, backoff: null, protocols: null, getToken: null, signal: null, autoConnect: null, openTimeout: null, requestTimeout: null, maxAttempts: null, maxBuffered: null, debug: null, seed: null });
  const client = make('ws://host/ws', { queue: { count: null } });
  const room = client.subscribe('a', null);
  client.subscribe('b', { signal: null, since: null, last: null });
  const sent = client.publish('a', 1, { signal: null, echo: null, volatile: null, key: null, queue: null });
  const socket = FakeSocket.last.welcome();
  assert.deepEqual(socket.take(), [{ type: 'subscribe', channel: 'a', id: 2 }, { type: 'subscribe', channel: 'b', id: 3 }]);
  socket.receive({ type: 'subscribed', channel: 'a', id: 2, seq: 0, epoch: 'e' });
  void client.publish('a', 2, null);
  void client.direct('bob', 3, null);
  void client.call('add', 4, null);
  assert.deepEqual(socket.take(), [
    { type: 'message', channel: 'a', content: 1, id: 1 }, { type: 'message', channel: 'a', content: 2, id: 4 },
    { type: 'direct', to: 'bob', content: 3, id: 5 }, { type: 'call', method: 'add', params: 4, id: 6 }]);
  socket.receive({ type: 'ack', id: 1, seq: 1 });
  assert.deepEqual([await sent, room.status], [1, 'active']);
  globalThis.WebSocket = FakeSocket;
  for (const Client of [Switchboard, Shared]) {
    new Client('ws://host/alone', null);
    assert.equal(FakeSocket.last.url, 'ws://host/alone');
  }
  assert.equal(typeof transports(null, null), 'function');
});

describe('later', () => {
  for (const [what, url, options] of [
    ['a constructor that throws', 'ws://host/ws', { webSocket: class { constructor() { throw new SyntaxError('no'); } } }],
    ['a function that gives no address', () => 'not an address', {}],
  ]) {
    it(`${what} is an error event, and stops the client`, async () => {
      const client = make(url, { autoConnect: false, ...options });
      const errors = [];
      client.on('error', (error) => errors.push(error));
      const waits = client.publish('a', 1, { queue: true });
      client.connect();
      assert.equal(errors.length, 1);
      assert.deepEqual([client.state.status, client.state.why], ['stopped', 'misuse']);
      time.pass(60_000);
      assert.equal(errors.length, 1);
      await assert.rejects(waits, { code: 'stopped' });
      client.connect();
      assert.equal(errors.length, 2);
    });
  }

  it('a function that throws is an error event, and asked again', () => {
    const answers = [() => { throw new Error('not yet'); }, () => 'ws://host/ws'];
    const client = make(() => answers.shift()(), { autoConnect: false });
    const errors = [];
    client.on('error', ({ message }) => errors.push(message));
    client.connect();
    assert.deepEqual([errors, client.state.status], [['not yet'], 'waiting']);
    time.pass(500);
    assert.equal(FakeSocket.last.url, 'ws://host/ws');
  });
});
