// When a token is asked for, and how it is sent.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { Switchboard } from '../dist/index.js';
import { FakeSocket, fakeTime, settle } from './fakes.js';

let time;
beforeEach(() => { time = fakeTime(); });
afterEach(() => time.end());

const make = (options = {}, url = 'ws://host/ws') => new Switchboard(url, { webSocket: FakeSocket, seed: 1, ...options });

describe('tokens', () => {
  it('travel as a subprotocol, in base64url', async () => {
    make({ getToken: ({ reason }) => `${reason}?~ü` });
    await settle();
    assert.deepEqual(FakeSocket.last.protocols, ['switchboard.v1.json', `base64url.bearer.switchboard.${Buffer.from('connect?~ü').toString('base64url')}`]);
  });

  it('or in the query, where that is asked for', async () => {
    make({ getToken: () => 'a b', tokenInQuery: true }, 'ws://host/ws?x=1');
    await settle();
    assert.equal(FakeSocket.last.url, 'ws://host/ws?x=1&token=a%20b');
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
