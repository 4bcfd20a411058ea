// Methods of the server's application; the decisions are in tests/vectors/call.json.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { Switchboard } from '../dist/index.js';
import { FakeSocket, fakeTime } from './fakes.js';

let time;
beforeEach(() => { time = fakeTime(); });
afterEach(() => time.end());

const make = (options = {}) => new Switchboard('ws://host/ws', { webSocket: FakeSocket, seed: 1, ...options });

describe('a call', () => {
  it('resolves with the content of its result', async () => {
    const client = make();
    FakeSocket.last.welcome();
    const sums = [client.call('add', { a: 1, b: 2 }), client.call('add', [])];
    assert.deepEqual(FakeSocket.last.take(), [{ type: 'call', method: 'add', id: 1, params: { a: 1, b: 2 } }, { type: 'call', method: 'add', id: 2, params: [] }]);
    FakeSocket.last.receive({ type: 'result', id: 2, content: null }).receive({ type: 'result', id: 1, content: 3 });
    assert.deepEqual(await Promise.all(sums), [3, null]);
  });

  it('needs no parameters', async () => {
    const client = make();
    FakeSocket.last.welcome();
    const list = client.call('list');
    assert.deepEqual(FakeSocket.last.take(), [{ type: 'call', method: 'list', id: 1, params: null }]);
    FakeSocket.last.receive({ type: 'result', id: 1 });
    assert.equal(await list, undefined);
  });

  it('rejects with the code and the frame of the application\'s error', async () => {
    const client = make();
    FakeSocket.last.welcome();
    const failed = client.call('buy', 1);
    FakeSocket.last.receive({ type: 'error', id: 1, code: 'sold_out', message: 'none left' });
    await assert.rejects(failed, ({ code, message, frame }) => code === 'sold_out' && message === 'none left' && frame.id === 1);
  });

  it('has a timeout, and ends with its signal', async () => {
    const client = make({ requestTimeout: 300 });
    FakeSocket.last.welcome();
    const abort = new AbortController();
    const ends = [client.call('a'), client.call('b', null, { signal: abort.signal }), client.call('c', null, { signal: AbortSignal.abort() })].map((end) => end.catch(({ code }) => code));
    assert.equal(FakeSocket.last.take().length, 2);
    abort.abort();
    time.pass(300);
    assert.deepEqual(await Promise.all(ends), ['timeout', 'aborted', 'aborted']);
  });

  it('refuses parameters that JSON cannot say, and a client that is not connected, where that is asked for', async () => {
    const client = make();
    await assert.rejects(client.call('a', 1n), { code: 'bad_content' });
    await assert.rejects(client.call('a', 1, { queue: false }), { code: 'not_connected' });
    const waits = client.call('a', 1);
    FakeSocket.last.welcome();
    FakeSocket.last.receive({ type: 'result', id: FakeSocket.last.take()[0].id, content: 'late' });
    assert.equal(await waits, 'late');
  });
});
