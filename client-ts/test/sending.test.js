// What becomes of content, signals and answers that are not as one hopes.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { Switchboard, SwitchboardError } from '../dist/index.js';
import { FakeSocket, fakeTime, settle } from './fakes.js';

let time;
beforeEach(() => { time = fakeTime(); });
afterEach(() => time.end());

const make = (options = {}) => new Switchboard('ws://host/ws', { webSocket: FakeSocket, seed: 1, ...options });
const contents = (socket = FakeSocket.last) => socket.take().map(({ content }) => content);

describe('a signal', () => {
  for (const [how, send] of [['publish', (client, options) => client.publish('a', 1, options)], ['direct', (client, options) => client.direct('bob', 1, options)]]) {
    it(`aborted beforehand sends nothing: ${how}`, async () => {
      const client = make({ queue: true });
      const signal = AbortSignal.abort();
      await assert.rejects(send(client, { signal }), (error) => error instanceof SwitchboardError && error.code === 'aborted');
      FakeSocket.last.welcome();
      await assert.rejects(send(client, { signal }), { code: 'aborted' });
      assert.deepEqual(contents(), []);
    });
  }
});

describe('an answer that does not come, while the connection lives', () => {
  /** Time passes, and the server says that it is there, but nothing of what was asked. */
  const pass = (ms) => {
    for (let left = ms; left > 0; left -= 1_000) {
      time.pass(Math.min(left, 1_000));
      FakeSocket.last.receive({ type: 'pong' });
    }
  };

  it('fails with timeout after 10 s, for each message', async () => {
    const client = make();
    FakeSocket.last.welcome();
    const ends = [];
    client.publish('a', 1).catch(({ code }) => ends.push(code));
    pass(1_000);
    client.direct('bob', 2).catch(({ code }) => ends.push(code));
    pass(8_999);
    await settle();
    assert.deepEqual(ends, []);
    pass(1);
    await settle();
    assert.deepEqual(ends, ['timeout']);
    pass(1_000);
    await settle();
    assert.deepEqual(ends, ['timeout', 'timeout']);
    FakeSocket.last.receive({ type: 'ack', id: 1, seq: 1 }).end();
    await settle();
    assert.equal(ends.length, 2);
  });

  it('may come within requestTimeout', async () => {
    const client = make({ requestTimeout: 200 });
    FakeSocket.last.welcome();
    const failed = assert.rejects(client.publish('a', 1), { code: 'timeout' });
    time.pass(200);
    await failed;
    client.close();
    const patient = make({ requestTimeout: Infinity });
    FakeSocket.last.welcome();
    const sent = patient.publish('a', 1);
    pass(60_000);
    FakeSocket.last.receive({ type: 'ack', id: 1, seq: 9 });
    assert.equal(await sent, 9);
  });

  it('counts from when the message was sent, not from when it was handed in', async () => {
    const client = make();
    const sent = client.publish('a', 1);
    FakeSocket.last.end();
    time.pass(500);
    FakeSocket.last.welcome();
    const again = client.publish('a', 2);
    pass(9_999);
    FakeSocket.last.receive({ type: 'ack', id: 1, seq: 1 }).receive({ type: 'ack', id: 2, seq: 2 });
    assert.deepEqual(await Promise.all([sent, again]), [1, 2]);
  });

  it('to a subscribe is told, and taken when it comes after all', () => {
    const client = make();
    const sub = client.subscribe('a');
    const told = [];
    sub.on('unanswered', ({ channel }) => told.push(channel));
    FakeSocket.last.welcome();
    pass(30_000);
    assert.deepEqual([told, sub.status], [['a'], 'pending']);
    FakeSocket.last.letIn();
    assert.equal(sub.status, 'active');
  });

  it('can be given up by a signal', async () => {
    const client = make();
    const told = [];
    client.subscribe('a').on('gap', () => told.push('gap'));
    FakeSocket.last.welcome().letIn();
    client.on('frame', ({ type }) => told.push(type));
    for (const send of [(options) => client.publish('a', 1, options), (options) => client.direct('bob', 1, options)]) {
      const abort = new AbortController();
      const sent = send({ signal: abort.signal });
      assert.equal(contents().length, 1);
      abort.abort();
      await assert.rejects(sent, { code: 'aborted' });
    }
    // Number 1 was our own all the same.
    FakeSocket.last.receive({ type: 'ack', id: 2, seq: 1 }).receive({ type: 'ack', id: 3, delivered: 1 });
    FakeSocket.last.receive({ type: 'message', channel: 'a', content: 2, seq: 2 });
    assert.deepEqual(told, ['message']);
  });

  it('given up by a signal while a listener runs, fails as well', async () => {
    const client = make();
    FakeSocket.last.welcome();
    const abort = new AbortController();
    let sent;
    client.on('frame', () => {
      sent = client.publish('a', 1, { signal: abort.signal });
      abort.abort();
    });
    FakeSocket.last.receive({ type: 'news' });
    await assert.rejects(sent, { code: 'aborted' });
  });
});

describe('content', () => {
  const cyclic = {};
  cyclic.self = cyclic;
  const bad = { toJSON() { throw new Error('mine'); } };
  for (const [name, content] of Object.entries({ BigInt: 1n, cycle: cyclic, 'own exception': bad, undefined: undefined, function: () => 1, symbol: Symbol('s') })) {
    it(`that JSON cannot say is refused: ${name}`, async () => {
      const client = make({ queue: true });
      FakeSocket.last.welcome();
      const failed = { code: 'bad_content' };
      await assert.rejects(client.publish('a', content), failed);
      await assert.rejects(client.direct('bob', content), failed);
      FakeSocket.last.end();
      await assert.rejects(client.publish('a', content), failed);
      assert.deepEqual(contents(), []);
      time.pass(500);
      FakeSocket.last.welcome();
      assert.deepEqual(contents(), []);
    });
  }

  it('keeps what was thrown as its cause', async () => {
    await assert.rejects(make().publish('a', bad), ({ cause }) => cause.message === 'mine');
  });

  it('goes as it was when it was handed over, whatever becomes of it', () => {
    const client = make({ queue: true });
    client.subscribe('pending');
    const draft = { text: 'hello', list: [1] };
    client.publish('a', draft);
    client.direct('bob', draft);
    FakeSocket.last.welcome();
    client.publish('pending', draft);
    draft.text = '';
    draft.list.push(draft);
    const was = { text: 'hello', list: [1] };
    assert.deepEqual(FakeSocket.last.sent.slice(1).map(({ content }) => content), [was, was]);
    FakeSocket.last.letIn();
    assert.deepEqual(contents(), [was]);
  });

  it('null, texts and numbers are as they were', () => {
    const client = make();
    FakeSocket.last.welcome();
    for (const content of [null, '', 'ü"\\', 0, false, []]) client.publish('a', content);
    assert.deepEqual(contents(), [null, '', 'ü"\\', 0, false, []]);
  });
});

describe('a network that does not keep up', () => {
  it('refuses more, and takes more when it has caught up', async () => {
    const client = make();
    const socket = FakeSocket.last.welcome();
    client.publish('a', 1);
    socket.bufferedAmount = 2 ** 20 + 1;
    await assert.rejects(client.publish('a', 2), { code: 'queue_full' });
    await assert.rejects(client.direct('bob', 3), { code: 'queue_full' });
    socket.bufferedAmount = 0;
    client.publish('a', 4);
    assert.deepEqual(contents(), [1, 4]);
  });

  it('is measured by maxBuffered', async () => {
    const client = make({ maxBuffered: 10 });
    const socket = FakeSocket.last.welcome();
    socket.bufferedAmount = 11;
    await assert.rejects(client.publish('a', 1), { code: 'queue_full' });
  });

  it('counts what a listener sends while the client is busy', async () => {
    const client = make({ maxBuffered: 5_000 });
    const sent = [];
    client.on('state', ({ status }) => {
      if (status === 'connected') for (let i = 0; i < 20; i += 1) sent.push(client.publish('a', 'x'.repeat(1_000)).then(() => 'sent', ({ code }) => code));
    });
    const socket = FakeSocket.last.welcome();
    const frames = socket.take();
    assert.ok(frames.length >= 4 && frames.length <= 6, `${frames.length}`);
    for (const { id } of frames) socket.receive({ type: 'ack', id, seq: id });
    const ends = await Promise.all(sent);
    assert.equal(ends.filter((end) => end === 'queue_full').length, 20 - frames.length);
    client.publish('a', 'later');
    assert.deepEqual(contents(), ['later']);
  });

  it('is that of the socket in use: one that is gone holds nothing back', () => {
    const client = make({ queue: true });
    FakeSocket.last.welcome().bufferedAmount = 2 ** 30;
    FakeSocket.last.end();
    client.publish('a', 1);
    time.pass(500);
    FakeSocket.last.welcome();
    assert.deepEqual(contents(), [1]);
    FakeSocket.last.bufferedAmount = 2 ** 30;
    client.reconnect();
    client.publish('a', 2);
    time.pass(500);
    FakeSocket.last.welcome();
    assert.deepEqual(contents(), [2]);
  });
});

it('the signal of a message that was refused at once has no say in the next one', async () => {
  const client = make();
  const abort = new AbortController();
  FakeSocket.last.welcome();
  const refused = client.publish('a', 1n, { signal: abort.signal });
  const next = client.publish('a', 2);
  abort.abort();
  await assert.rejects(refused, { code: 'bad_content' });
  const [{ id }] = FakeSocket.last.take();
  FakeSocket.last.receive({ type: 'ack', id, seq: 3 });
  assert.equal(await next, 3);
});
