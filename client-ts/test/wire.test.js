// Frames with odd names, and exceptions where nobody expects them.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { Switchboard } from '../dist/index.js';
import { FakeSocket, fakeTime } from './fakes.js';

let time;
beforeEach(() => { time = fakeTime(); });
afterEach(() => time.end());

const make = (options = {}) => new Switchboard('ws://host/ws', { webSocket: FakeSocket, seed: 1, ...options });

describe('an exception', () => {
  it('in sending one frame is an error event, and the client goes on', () => {
    const client = make();
    const errors = [];
    client.on('error', (error) => errors.push(error.message));
    const socket = FakeSocket.last.welcome();
    const { send } = socket;
    socket.send = () => { throw new Error('no'); };
    client.ping();
    socket.send = send;
    assert.deepEqual(errors, ['no']);
    client.subscribe('a');
    assert.deepEqual(socket.take().map(({ type }) => type), ['subscribe']);
    socket.end();
    time.pass(500);
    assert.equal(FakeSocket.all.length, 2);
  });

  it('in the function that logs neither', () => {
    const client = make({ debug: () => { throw new Error('no'); } });
    const errors = [];
    client.on('error', ({ message }) => errors.push(message));
    client.subscribe('a');
    assert.deepEqual(FakeSocket.last.welcome().take().map(({ type }) => type), ['subscribe']);
    assert.equal(client.state.status, 'connected');
    assert.deepEqual([...new Set(errors)], ['no']);
  });

  it('in letting go of a socket neither', () => {
    const client = make();
    FakeSocket.last.welcome().close = () => { throw new Error('no'); };
    client.close();
    assert.equal(client.state.status, 'stopped');
    client.connect();
    assert.equal(FakeSocket.all.length, 2);
  });
});

for (const type of ['constructor', '__proto__', 'toString', 'hasOwnProperty', 'valueOf']) {
  it(`a frame of the type ${type} is a frame like any other`, () => {
    const client = make();
    const sub = client.subscribe('a');
    const [frames, messages] = [[], []];
    client.on('frame', (frame) => frames.push(frame.type));
    sub.on('message', ({ content }) => messages.push(content));
    FakeSocket.last.welcome().letIn().receive(`{"type":"${type}","channel":"a"}`).receive({ type: 'message', channel: 'a', content: 1, seq: 1 });
    assert.deepEqual(frames, ['subscribed', type, 'message']);
    assert.deepEqual(messages, [1]);
  });
}

it('frames named like events of the client fire none of them', () => {
  const client = make();
  const sub = client.subscribe('a');
  const [fired, frames] = [[], []];
  FakeSocket.last.welcome().letIn();
  for (const type of ['state', 'rtt']) client.on(type, () => fired.push(type));
  for (const type of ['epoch', 'status', 'refused']) sub.on(type, () => fired.push(type));
  client.on('frame', ({ type }) => frames.push(type));
  const names = ['state', 'rtt', 'frame', 'epoch', 'status', 'refused'];
  for (const type of names) FakeSocket.last.receive({ type, channel: 'a' });
  assert.deepEqual([fired, frames], [[], names]);
  assert.equal(sub.status, 'active');
});

it('no field of a subscribed gets into the state of its channel, unless the protocol has it', () => {
  const client = make({ queue: true });
  const sub = client.subscribe('a');
  const seen = [];
  sub.on('message', ({ seq }) => seen.push(seq));
  const socket = FakeSocket.last.welcome();
  const [{ id }] = socket.take();
  socket.receive({ type: 'subscribed', channel: 'a', id, seq: 1, epoch: 'e1', first: 1, own: 5, fresh: 'x', active: false, last: 9 });
  void client.publish('a', 1);
  socket.receive({ type: 'ack', id: id + 1, seq: 3 }).receive({ type: 'message', channel: 'a', content: 1, seq: 2 });
  assert.deepEqual(seen, [2]);
  assert.equal(sub.status, 'active');
  socket.receive({ type: 'subscribed', channel: 'a', seq: 9, epoch: 'e1', first: null, recovered: 'yes' });
  socket.end();
  time.pass(500);
  assert.equal(FakeSocket.last.welcome().take()[0].since, undefined);
});

describe('a number that is none', () => {
  for (const ping_ms of ['soon', -5, {}, null]) {
    it(`in welcome (${JSON.stringify(ping_ms)}) leaves the client its own times`, async () => {
      const client = make({ requestTimeout: 60_000 });
      const socket = FakeSocket.last.welcome({ ping_ms });
      const sent = client.publish('a', 1);
      time.pass(24_999);
      assert.deepEqual(socket.take().map(({ type }) => type), ['message']);
      time.pass(1);
      assert.deepEqual(socket.take().map(({ type }) => type), ['ping']);
      time.pass(10_000);
      await assert.rejects(sent, { code: 'unconfirmed' });
      time.pass(1_000);
      assert.equal(FakeSocket.all.length, 2);
    });
  }

  it('in rate_limited counts as the usual wait', () => {
    const client = make();
    client.subscribe('a');
    const socket = FakeSocket.last.welcome();
    socket.take();
    socket.receive({ type: 'error', code: 'rate_limited', retry_after_ms: 'later' });
    time.pass(1_000);
    assert.deepEqual(socket.take().map(({ type }) => type), ['subscribe']);
  });

  it('in bye counts as none, and one in quotes as a number', () => {
    const client = make();
    FakeSocket.last.welcome().receive({ type: 'bye', code: 1001, reason: 'draining', reconnect_in_ms: 'later' }).end(1001, 'draining');
    assert.equal(client.state.why, 'backoff');
    time.pass(500);
    FakeSocket.last.welcome().receive({ type: 'bye', code: 1001, reason: 'draining', reconnect_in_ms: '700' }).end(1001, 'draining');
    assert.equal(client.state.until - Date.now(), 700);
    time.pass(700);
    assert.equal(FakeSocket.all.length, 3);
  });
});
