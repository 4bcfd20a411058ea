// Clocks that jump, hosts that sleep, and waiting that has an end.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it, mock } from 'node:test';
import { Switchboard } from '../dist/index.js';
import { FakeSocket, fakeTime, settle } from './fakes.js';

const HOUR = 3_600_000;

let time;
/** How far the clock of the wall is ahead of the one that nobody sets. */
let ahead;
beforeEach(() => {
  time = fakeTime();
  ahead = 0;
  const now = Date.now;
  mock.method(performance, 'now', () => now() - 1_000_000);
  mock.method(Date, 'now', () => now() + ahead);
});
afterEach(() => time.end());

const make = (options = {}) => new Switchboard('ws://host/ws', { webSocket: FakeSocket, seed: 1, ...options });

describe('a wall clock that is set', () => {
  for (const [how, jump] of [['forward', HOUR], ['back', -HOUR]]) {
    it(`${how} does not count in a round trip`, () => {
      const client = make();
      const trips = [];
      client.on('rtt', (ms) => trips.push(ms));
      FakeSocket.last.welcome();
      client.ping();
      const [{ timestamp }] = FakeSocket.last.take();
      time.pass(12);
      ahead += jump;
      FakeSocket.last.receive({ type: 'pong', timestamp });
      assert.deepEqual(trips, [12]);
    });

    it(`${how} does not age what waits`, async () => {
      const client = make({ queue: true });
      const sent = client.publish('a', 1).catch(({ code }) => code);
      FakeSocket.last.end();
      ahead += jump;
      time.pass(500);
      FakeSocket.last.welcome();
      assert.equal(FakeSocket.last.take()[0]?.content, 1);
      FakeSocket.last.receive({ type: 'ack', id: 1, seq: 1 });
      assert.equal(await sent, 1);
    });

    it(`${how}: the next wait is as long as ever`, () => {
      const client = make();
      FakeSocket.last.welcome();
      time.pass(6_000);
      ahead += jump;
      FakeSocket.last.end();
      assert.ok(client.state.status === 'connecting' || client.state.until - Date.now() <= 500);
      time.pass(500);
      assert.equal(FakeSocket.all.length, 2);
    });
  }

  it('may mean that the host slept: a connection is asked, and a wait is over', () => {
    const client = make();
    const socket = FakeSocket.last.welcome();
    ahead += HOUR;
    socket.receive({ type: 'message', channel: 'a', seq: 1 });
    assert.equal(socket.take()[0]?.type, 'ping');
    socket.end();
    assert.equal(client.state.status, 'waiting');
    ahead += HOUR;
    client.ping();
    assert.equal(client.state.status, 'connecting');
  });
});

it('timers that stood still while the other clocks went on do not hold up the next wait', () => {
  // As where the host sleeps: the clock goes on, the timer of 25 s has all of them to go.
  make();
  FakeSocket.last.welcome();
  time.pass(1_000);
  const now = performance.now;
  mock.method(performance, 'now', () => now() + HOUR);
  ahead += HOUR;
  FakeSocket.last.end();
  time.pass(1_000);
  assert.equal(FakeSocket.all.length, 2);
});

describe('a getToken that never settles', () => {
  it('has failed after 15 s, is told so, and asked again', async () => {
    const signals = [];
    const client = make({ getToken: ({ signal }) => { signals.push(signal); return new Promise(() => {}); } });
    const errors = [];
    client.on('error', (error) => errors.push(error.message));
    await settle();
    time.pass(14_999);
    assert.equal(client.state.status, 'connecting');
    time.pass(1);
    assert.equal(client.state.status, 'waiting');
    assert.equal(signals[0].aborted, true);
    assert.match(errors[0], /getToken/);
    time.pass(500);
    await settle();
    assert.equal(signals.length, 2);
  });

  it('has as long as tokenTimeout says', async () => {
    const client = make({ tokenTimeout: 100, getToken: () => new Promise(() => {}) });
    await settle();
    time.pass(100);
    assert.equal(client.state.status, 'waiting');
  });

  it('that answers in time is never late, nor is one that nobody waits for', async () => {
    const errors = [];
    const client = make({ getToken: () => 'ann' });
    client.on('error', (error) => errors.push(error));
    await settle();
    FakeSocket.last.welcome();
    time.pass(15_000);
    client.close();
    const other = make({ getToken: () => new Promise(() => {}) });
    other.on('error', (error) => errors.push(error));
    await settle();
    other.close();
    time.pass(15_000);
    assert.deepEqual(errors, []);
    assert.equal(other.state.status, 'stopped');
  });
});
