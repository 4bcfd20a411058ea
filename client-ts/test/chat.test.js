// Against a running server: SWITCHBOARD_CHAT is the path of the chat example, or of chat-smol. Skipped without it.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { afterEach, describe, it } from 'node:test';
import WebSocket from 'ws';
import { Switchboard } from '../dist/index.js';
import { transports } from '../dist/sse.js';
import { freePort } from '../../tests/clients/node/ports.mjs';

const CHAT = process.env.SWITCHBOARD_CHAT;

const servers = [];
const clients = [];

async function serve(listen, ...flags) {
  listen ??= `127.0.0.1:${await freePort()}`;
  const child = spawn(CHAT, ['--listen', listen, '--log', 'error', ...flags], { stdio: ['ignore', 'pipe', 'inherit'] });
  servers.push(child);
  const [line] = await once(createInterface(child.stdout), 'line');
  const address = line.replace('listening on ', '').replace(/^.*\/\//, '');
  return { address, child, kill: (signal) => { child.kill(signal); return once(child, 'exit'); } };
}

function connect(address, name, options = {}, path = '/ws') {
  const client = new Switchboard(`ws://${address}${path}`, { webSocket: WebSocket, getToken: () => name, ...options });
  clients.push(client);
  return client;
}

/** The next event of this type, or one that was asked for. */
const next = (emitter, type, wanted = () => true, ms = 15_000) => new Promise((resolve, reject) => {
  const timer = setTimeout(() => { off(); reject(new Error(`no ${type} within ${ms} ms`)); }, ms);
  const off = emitter.on(type, (event) => {
    if (!wanted(event)) return;
    clearTimeout(timer);
    off();
    resolve(event);
  });
});
const reach = (client, status) => client.state.status === status ? client.state : next(client, 'state', (state) => state.status === status);
const active = (sub) => sub.status === 'active' ? sub : next(sub, 'status', (status) => status === 'active');

describe('with the chat example', { skip: !CHAT && 'SWITCHBOARD_CHAT is not set' }, () => {
  afterEach(() => {
    for (const client of clients.splice(0)) client.close();
    for (const child of servers.splice(0)) child.kill('SIGKILL');
  });

  it('one without WebSockets talks, too, and goes on where it was', async () => {
    const { address } = await serve();
    const [ann, bob] = [connect(address, 'ann', { webSocket: transports(['sse']) }), connect(address, 'bob')];
    const [a, b] = [ann.subscribe('room'), bob.subscribe('room')];
    await Promise.all([active(a), active(b)]);
    const heard = [next(b, 'message'), next(a, 'message')];
    assert.equal(await ann.publish('room', 'é'.repeat(5_000)), 1);
    assert.equal(await bob.publish('room', 'hi ann'), 2);
    assert.deepEqual((await Promise.all(heard)).map(({ content }) => content.length), [5_000, 6]);
    const again = next(a, 'subscribed');
    ann.reconnect();
    await bob.publish('room', 'meanwhile');
    const missed = next(a, 'message');
    assert.equal((await again).recovered, true);
    assert.equal((await missed).content, 'meanwhile');
    const whispers = Promise.all(Array.from({ length: 90 }, (_, n) => ann.direct('bob', n)));
    assert.deepEqual(await whispers, Array(90).fill(1));
  });

  it('two talk: messages, numbers, presence, whispers, round trips', async () => {
    const { address } = await serve();
    const [ann, bob] = [connect(address, 'ann'), connect(address, 'bob', { tokenInQuery: true })];
    const [a, b] = [ann.subscribe('room'), bob.subscribe('room')];
    await Promise.all([active(a), active(b)]);
    assert.equal(ann.state.welcome.user, 'ann');
    const heard = next(b, 'message');
    assert.equal(await ann.publish('room', { text: 'hi' }), 1);
    const message = await heard;
    assert.deepEqual([message.content, message.sender, message.seq], [{ text: 'hi' }, 'ann', 1]);
    const whisper = next(ann, 'direct');
    assert.equal(await bob.direct('ann', 'psst'), 1);
    assert.deepEqual([(await whisper).content, (await whisper).sender], ['psst', 'bob']);
    await assert.rejects(bob.direct('nobody', 1), { code: 'not_connected' });
    const rtt = next(ann, 'rtt');
    ann.ping();
    assert.ok(await rtt < 1_000);
  });

  it('own messages leave no gap, and for await hears all', async () => {
    const { address } = await serve();
    const [ann, bob] = [connect(address, 'ann'), connect(address, 'bob')];
    const [a, b] = [ann.subscribe('room'), bob.subscribe('room')];
    await Promise.all([active(a), active(b)]);
    const gaps = [];
    for (const sub of [a, b]) sub.on('gap', (gap) => gaps.push(gap));
    const heard = (async () => { const all = []; for await (const { seq } of a) if (all.push(seq) === 20) return all; })();
    for (let i = 0; i < 20; i += 1) await Promise.all([ann.publish('room', i), bob.publish('room', i)]);
    assert.equal((await heard).length, 20);
    assert.deepEqual(gaps, []);
  });

  it('a lobby of the URL is entered once, without an error', async () => {
    const { address } = await serve();
    const ann = connect(address, 'ann', {}, '/ws/lobby');
    const errors = [];
    ann.on('error', (error) => errors.push(error));
    await active(ann.subscribe('lobby'));
    await ann.publish('lobby', 1);
    assert.deepEqual(errors, []);
  });

  it('a lobby of the URL can be subscribed at any time', async () => {
    const { address } = await serve();
    const ann = connect(address, 'ann', {}, '/ws/lobby');
    const bob = connect(address, 'bob', {}, '/ws/lobby');
    await next(ann, 'frame', ({ type, count }) => type === 'presence' && count === 2);
    const room = ann.subscribe('lobby');
    await active(room);
    assert.deepEqual([room.presence.count, room.presence.complete], [2, true]);
    const heard = next(room, 'message');
    assert.equal(await bob.publish('lobby', 'hi'), 1);
    assert.equal((await heard).content, 'hi');
    assert.equal(await ann.publish('lobby', 'hi yourself'), 2);
  });

  it('killed and started again on the same port: both come back, and are in their rooms', async () => {
    const first = await serve();
    const [ann, bob] = [connect(first.address, 'ann'), connect(first.address, 'bob', { queue: true })];
    const [a, b] = [ann.subscribe('room'), bob.subscribe('room')];
    await Promise.all([active(a), active(b)]);
    await ann.publish('room', 1);
    const epoch = Promise.all([next(a, 'epoch'), next(b, 'epoch')]);
    const lost = Promise.all([next(ann, 'state'), next(bob, 'state')]);
    await first.kill('SIGKILL');
    assert.deepEqual((await lost).map(({ status, last }) => [status, last.code]), [['waiting', 1006], ['waiting', 1006]]);
    const waiting = bob.publish('room', 'from the queue');
    await serve(first.address);
    await epoch;
    await Promise.all([active(a), active(b)]);
    assert.equal(typeof await waiting, 'number');
    const heard = next(a, 'message', ({ content }) => content === 'back');
    await bob.publish('room', 'back');
    await heard;
  });

  it('what was said while one was away comes when one is back', async () => {
    const { address } = await serve();
    const [ann, bob] = [connect(address, 'ann'), connect(address, 'bob')];
    const [a, b] = [ann.subscribe('room'), bob.subscribe('room')];
    await Promise.all([active(a), active(b)]);
    await ann.publish('room', 1);
    ann.close();
    for (let i = 0; i < 3; i += 1) await bob.publish('room', i);
    const heard = [];
    a.on('message', ({ seq }) => heard.push(seq));
    a.on('gap', (gap) => heard.push(gap));
    const last = next(a, 'message', ({ seq }) => seq === 4);
    ann.connect();
    await last;
    assert.deepEqual(heard, [2, 3, 4]);
  });

  it('without a history what was said while one was away is reported as a gap', async () => {
    const { address } = await serve(undefined, '--history', '0');
    const [ann, bob] = [connect(address, 'ann'), connect(address, 'bob')];
    const [a, b] = [ann.subscribe('room'), bob.subscribe('room')];
    await Promise.all([active(a), active(b)]);
    await ann.publish('room', 1);
    ann.close();
    for (let i = 0; i < 3; i += 1) await bob.publish('room', i);
    const gap = next(a, 'gap');
    ann.connect();
    const { from, to, away } = await gap;
    assert.deepEqual([from, to, away], [2, 4, true]);
  });

  it('a drain: everybody comes back after the delay told, not before', async () => {
    const first = await serve('127.0.0.1:0', '--drain-window', '1');
    const ann = connect(first.address, 'ann');
    await active(ann.subscribe('room'));
    const bye = next(ann, 'frame', ({ type }) => type === 'bye');
    const lost = next(ann, 'state', ({ status }) => status === 'waiting');
    const gone = first.kill('SIGTERM');
    const { reconnect_in_ms: told } = await bye;
    const state = await lost;
    const at = Date.now();
    assert.deepEqual([state.why, state.last.code, state.last.reason], ['told', 1001, 'draining']);
    assert.ok(Math.abs(state.until - at - told) < 100, `${state.until - at} for ${told}`);
    await gone;
    await serve(first.address);
    const again = next(ann, 'state', ({ status }) => status === 'connecting', told + 5_000);
    await again;
    assert.ok(Date.now() - at >= told - 5, `after ${Date.now() - at}, told ${told}`);
    await reach(ann, 'connected');
  });

  it('a second login: the first is replaced, says so, and stays away', async () => {
    const { address } = await serve();
    const [first, states] = [connect(address, 'ann'), []];
    await reach(first, 'connected');
    first.on('state', ({ status }) => states.push(status));
    const second = connect(address, 'ann');
    await reach(second, 'connected');
    const { why, last } = await reach(first, 'stopped');
    assert.deepEqual([why, last.code, last.reason], ['code', 1000, 'replaced']);
    await new Promise((resolve) => { setTimeout(resolve, 1_500); });
    assert.deepEqual(states, ['stopped']);
    assert.equal(second.state.status, 'connected');
  });

  it('where the second is refused: it is the one that stays away; reconnect is no second', async () => {
    const { address } = await serve('127.0.0.1:0', '--users', 'reject');
    const first = connect(address, 'ann');
    await reach(first, 'connected');
    const second = connect(address, 'ann');
    assert.equal((await reach(second, 'stopped')).last.reason, 'already_connected');
    first.reconnect();
    await next(first, 'state', ({ status }) => status === 'connected');
  });

  it('a full lobby stops, a full server does not', async () => {
    const { address } = await serve('127.0.0.1:0', '--max-per-room', '1', '--max-connections', '2', '--max-per-ip', '10');
    await reach(connect(address, 'ann', {}, '/ws/lobby'), 'connected');
    assert.equal((await reach(connect(address, 'bob', {}, '/ws/lobby'), 'stopped')).last.reason, 'lobby_full');
    await reach(connect(address, 'cay', {}, '/ws/other'), 'connected');
    const { why, until } = await reach(connect(address, 'dee', {}, '/ws/third'), 'waiting');
    assert.equal(why, 'full');
    assert.ok(until - Date.now() > 4_900);
  });

  it('a wrong token is asked for once more, then it stays away', async () => {
    const { address } = await serve('127.0.0.1:0', '--secret', 'a secret that is long enough to be one');
    const reasons = [];
    const client = connect(address, '', { getToken: ({ reason }) => { reasons.push(reason); return 'rubbish'; } });
    assert.equal((await reach(client, 'stopped')).last.code, 4001);
    assert.deepEqual(reasons, ['connect', 'unauthorized']);
  });

  it('too fast: the messages that were not read fail, and no other does', async () => {
    const { address } = await serve('127.0.0.1:0', '--rate', '5');
    const ann = connect(address, 'ann');
    await active(ann.subscribe('room'));
    const sent = await Promise.allSettled(Array.from({ length: 12 }, (_, i) => ann.publish('room', i)));
    const failed = sent.filter(({ status }) => status === 'rejected');
    assert.ok(failed.length > 0 && failed.length < 12, `${failed.length}`);
    assert.deepEqual(new Set(failed.map(({ reason }) => reason.code)), new Set(['rate_limited']));
    assert.equal(ann.state.status, 'connected');
  });
});
