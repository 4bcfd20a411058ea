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

/** Time passes, and the server says that it is there. */
const pass = (ms) => {
  for (let left = ms; left > 0; left -= 5_000) {
    time.pass(Math.min(left, 5_000));
    FakeSocket.last.receive({ type: 'pong' });
  }
};

describe('a token that expires', () => {
  it('is replaced on the open connection before it does', async () => {
    const reasons = [];
    const client = make({ getToken: ({ reason }) => ({ token: `t${reasons.push(reason)}`, expiresIn: 60_000 }), tokenInQuery: true });
    await settle();
    assert.equal(FakeSocket.last.url, 'ws://host/ws?token=t1');
    FakeSocket.last.welcome();
    const states = [];
    client.on('state', ({ status }) => states.push(status));
    pass(45_000);
    await settle();
    assert.deepEqual([reasons, FakeSocket.last.take().filter(({ type }) => type === 'auth'), states], [['connect', 'expiring'], [{ type: 'auth', token: 't2' }], []]);
    FakeSocket.last.end();
    time.pass(500);
    assert.equal(FakeSocket.last.url, 'ws://host/ws?token=t2');
  });

  it('is asked for again when getToken fails or is late, and told once each time', async () => {
    const answers = [{ token: 't1', expiresIn: 60_000 }, Promise.reject(new Error('down')), new Promise(() => {}), 't2'];
    const errors = [];
    const client = make({ getToken: () => answers.shift(), tokenTimeout: 1_000 });
    client.on('error', ({ message }) => errors.push(message));
    await settle();
    FakeSocket.last.welcome();
    for (let i = 0; i < 60; i += 1) { pass(1_000); await settle(); }
    assert.deepEqual([answers, errors], [[], ['down', 'getToken timed out']]);
    assert.deepEqual(FakeSocket.last.take().filter(({ type }) => type === 'auth'), [{ type: 'auth', token: 't2' }]);
  });
});

describe('setToken', () => {
  it('is used at once on an open connection, and for all later ones', async () => {
    const client = make({ getToken: () => 'old', tokenInQuery: true });
    await settle();
    FakeSocket.last.welcome();
    client.setToken('new');
    assert.deepEqual(FakeSocket.last.take(), [{ type: 'auth', token: 'new' }]);
    FakeSocket.last.end();
    time.pass(500);
    assert.equal(FakeSocket.last.url, 'ws://host/ws?token=new');
  });

  it('needs no getToken', () => {
    const client = make({ autoConnect: false, tokenInQuery: true });
    client.setToken('ann');
    client.connect();
    assert.equal(FakeSocket.last.url, 'ws://host/ws?token=ann');
    FakeSocket.last.welcome();
    client.close();
    client.setToken({ token: 'bob', expiresIn: 1_000 });
    client.connect();
    assert.equal(FakeSocket.last.url, 'ws://host/ws?token=bob');
    FakeSocket.last.welcome();
    pass(20_000);
    assert.deepEqual(FakeSocket.last.take().filter(({ type }) => type !== 'ping'), []);
  });

  it('comes before the answer of getToken, which is not used', async () => {
    let answer;
    let asked;
    const client = make({ getToken: (request) => { asked = request; return new Promise((resolve) => { answer = resolve; }); }, tokenInQuery: true });
    await settle();
    client.setToken('set');
    assert.equal(asked.signal.aborted, true);
    assert.equal(FakeSocket.last.url, 'ws://host/ws?token=set');
    FakeSocket.last.welcome();
    answer('late');
    await settle();
    assert.deepEqual(FakeSocket.last.take(), []);
    assert.equal(client.state.status, 'connected');
  });

  it('while the socket is opened: it is opened anew', async () => {
    const client = make({ getToken: () => 'old', tokenInQuery: true });
    await settle();
    client.setToken('new');
    assert.deepEqual(FakeSocket.all.map(({ url, closed }) => [url.slice(-3), !!closed]), [['old', true], ['new', false]]);
  });
});
