// How a client opens, loses and reopens its connection.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { Switchboard } from '../dist/index.js';
import { FakeSocket, fakeTime } from './fakes.js';

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

  describe('where text of a compressed connection is no JSON, as in a browser that inflates wrongly', () => {
    const cut = '{"type":"message","channel":"r","content":"he';
    const open = (extensions) => {
      FakeSocket.last.extensions = extensions;
      return FakeSocket.last.welcome();
    };

    it('connects anew without compression, for life, and goes on where it was', () => {
      const client = make({}, 'ws://host/ws?deflate=on&a=1');
      client.subscribe('r');
      const heard = [];
      client.on('frame', ({ type, seq }) => { if (type === 'message') heard.push(seq); });
      const first = open('permessage-deflate');
      const { id } = first.take()[0];
      first.receive({ type: 'subscribed', channel: 'r', id, seq: 4, first: 1, epoch: 'e1' });
      first.receive(cut);
      assert.deepEqual(first.closed, { code: 1000, reason: '' });
      time.pass(100);
      assert.equal(FakeSocket.last.url, 'ws://host/ws?deflate=off&a=1');
      const second = open('');
      assert.deepEqual(second.take()[0].since, { epoch: 'e1', seq: 4 });
      second.receive({ type: 'subscribed', channel: 'r', id: 2, seq: 5, first: 1, epoch: 'e1', recovered: true }).receive({ type: 'message', channel: 'r', content: 'hello', seq: 5 });
      assert.deepEqual(heard, [5]);
      second.end();
      time.pass(1_000);
      assert.equal(FakeSocket.last.url, 'ws://host/ws?deflate=off&a=1');
    });

    it('does so once, whatever the server then offers', () => {
      make();
      open('permessage-deflate').receive(cut);
      time.pass(100);
      open('permessage-deflate').receive(cut);
      assert.equal(FakeSocket.last.closed, null);
      assert.equal(FakeSocket.all.length, 2);
    });

    it('does not without the extension, nor for a binary message', () => {
      make();
      open('').receive(cut);
      assert.equal(FakeSocket.last.closed, null);
      FakeSocket.last.extensions = 'permessage-deflate';
      FakeSocket.last.onmessage({ data: new ArrayBuffer(2) });
      assert.equal(FakeSocket.last.closed, null);
    });
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

describe('the query of the URL', () => {
  const SESSION = /session=[\w-]{22,}/;
  const dialed = (query, options = {}) => {
    make(options, `ws://host/ws${query}`).close();
    return FakeSocket.last.address.replace('ws://host/ws', '').replace(SESSION, 'session=S');
  };

  it('stays as the application wrote it', () => {
    for (const query of ['?x=1', '?a+b=c%20d', '?q=~\'()*!', '?a;b', '?x', '?x=&y', '?a=1&&b=2', '?x=1&x=2', '?name=Ren%C3%A9']) assert.equal(dialed(query), `${new URL(`ws://h/${query}`).search}&session=S`);
  });

  it('may be empty', () => {
    for (const query of ['', '?']) assert.equal(dialed(query), '?session=S');
  });

  it('may have a session of its own, which is kept', () => {
    for (const query of ['?session=mine', '?x=1&session=mine&y=2', '?session=']) assert.equal(dialed(query), query);
    assert.equal(dialed('?mysession=1'), '?mysession=1&session=S');
  });

  it('has the position that the client reached in place of one that it began with', () => {
    make({}, 'ws://host/ws/lobby?since=e1.3&x=1');
    assert.match(FakeSocket.last.url, /\?since=e1\.3&x=1$/);
    FakeSocket.last.welcome().receive({ type: 'subscribed', channel: 'lobby', epoch: 'e1', seq: 10, first: 1 }).end();
    time.pass(500);
    assert.match(FakeSocket.last.url, /\?since=e1\.10&x=1$/);
  });
});
