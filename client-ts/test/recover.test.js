// What an application sees of recovery; the decisions are in tests/vectors/recover.json and resend.json.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { Switchboard } from '../dist/index.js';
import { FakeSocket, fakeTime } from './fakes.js';

let time;
beforeEach(() => { time = fakeTime(); });
afterEach(() => time.end());

const make = (options = {}) => new Switchboard('ws://host/ws/lobby', { webSocket: FakeSocket, seed: 1, ...options });
const subscribed = { type: 'subscribed', channel: 'a', epoch: 'e1', seq: 10, first: 1 };

/** Loses the connection and opens the next one. */
function comeBack() {
  FakeSocket.last.end();
  time.pass(500);
  return FakeSocket.last.welcome();
}

describe('the session', () => {
  it('is the same for all connections of a client, and another for each client', () => {
    const client = make();
    const [first] = FakeSocket.all;
    first.welcome();
    comeBack();
    client.close();
    client.connect();
    make();
    const sessions = FakeSocket.all.map(({ session }) => session);
    assert.equal(new Set(sessions.slice(0, 3)).size, 1);
    assert.notEqual(sessions[3], sessions[0]);
    for (const session of sessions) assert.match(session, /^[A-Za-z0-9_-]{22,64}$/);
  });
});

describe('a subscription', () => {
  it('is told what was recovered, and gets each message once', () => {
    const client = make();
    const sub = client.subscribe('a');
    const seen = [];
    sub.on('subscribed', ({ seq, recovered }) => seen.push({ seq, recovered }));
    sub.on('message', ({ seq }) => seen.push(seq));
    sub.on('gap', ({ from, to }) => seen.push([from, to]));
    FakeSocket.last.welcome().receive(subscribed);
    const socket = comeBack();
    assert.deepEqual(socket.take().at(-1).since, { epoch: 'e1', seq: 10 });
    socket.receive({ ...subscribed, seq: 13, recovered: true });
    for (const seq of [11, 11, 12]) socket.receive({ type: 'message', channel: 'a', content: 1, seq });
    socket.receive({ type: 'gap', channel: 'a', from: 13, to: 13 });
    assert.deepEqual(seen, [{ seq: 10, recovered: undefined }, { seq: 13, recovered: true }, 11, 12, [13, 13]]);
  });

  it('begins at a position, or with the last messages, where it is asked to', () => {
    const client = make();
    client.subscribe('a', { since: { epoch: 'e1', seq: 3 } });
    client.subscribe('b', { last: 5 });
    const sent = FakeSocket.last.welcome().take();
    assert.deepEqual(sent, [
      { type: 'subscribe', channel: 'a', id: 1, since: { epoch: 'e1', seq: 3 } },
      { type: 'subscribe', channel: 'b', id: 2, last: 5 },
    ]);
  });
});

it('the position in the lobby goes into the URL', () => {
  make();
  FakeSocket.last.welcome().receive({ ...subscribed, channel: 'lobby', epoch: 'a b&c' });
  comeBack();
  assert.equal(FakeSocket.last.url, 'ws://host/ws/lobby?since=a%20b%26c.10');
});

it('a promise survives a lost answer, and resolves with the number of the message', async () => {
  const client = make();
  client.subscribe('a');
  const socket = FakeSocket.last.welcome();
  socket.take();
  socket.receive({ ...subscribed, id: 1 });
  const sent = client.publish('a', { text: 'hi' });
  const next = comeBack();
  next.receive({ ...subscribed, id: 3, recovered: true });
  assert.deepEqual(next.take().at(-1), { type: 'message', channel: 'a', again: 10, id: 2, content: { text: 'hi' } });
  next.receive({ type: 'ack', id: 2, seq: 11, duplicate: true });
  assert.equal(await sent, 11);
});
