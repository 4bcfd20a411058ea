// Health: dead clients are evicted, quiet ones stay, and a stalled server evicts nobody.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, sleeper } from './client.mjs';
import { NOBODY, chat } from './server.mjs';
import { timePasses, until } from './wait.mjs';

const brisk = ['--ping-interval', 0.4, '--ping-timeout', 0.4];
/** Interval and timeout, the presence interval, and what a busy machine may take. */
const LONGEST = 400 + 400 + 250 + 1500;

test('a stopped client is gone within interval and timeout, its presence with it', async (t) => {
  const server = await chat(t, ...brisk);
  const witness = await Client.as(server, 'witness', 'den');
  const dead = await sleeper(t, server, '/ws/den?token=ann');
  await witness.sees('witness', 'ann');
  const stopped = performance.now();
  dead.stop();
  await witness.sees('witness');
  const took = performance.now() - stopped;
  assert.ok(took < LONGEST, `${took} ms`);
  const stats = await server.reaches({ total_connections: 1, users: 1, closing: 0 });
  assert.equal(stats.closes.heartbeat_timeout, 1);
});

test('a client that answers no ping is closed 4201', async (t) => {
  const server = await chat(t, ...brisk);
  const mute = await Client.as(server, 'mute', 'den', { autoPong: false });
  assert.deepEqual(await mute.end(), { code: 4201, reason: 'heartbeat_timeout' });
  await server.reaches({ ...NOBODY, closes: { heartbeat_timeout: 1 } });
});

test('a quiet client that answers pings stays', async (t) => {
  const server = await chat(t, ...brisk);
  const quiet = await Client.as(server, 'quiet', 'den');
  await until(() => quiet.pings >= 8, 'eight pings');
  assert.equal(quiet.closed, null);
  await server.reaches({ total_connections: 1 });
  await quiet.roundTrip();
});

test('any message counts as life, also where pings are not answered', async (t) => {
  const server = await chat(t, ...brisk);
  const talker = new Client(server, '/ws/den?token=talker', { autoPong: false });
  talker.socket.on('ping', () => talker.send({ type: 'ping' }));
  await talker.verdict();
  await until(() => talker.pings >= 6, 'six pings');
  await talker.roundTrip();
});

test('an active client is pinged at most once in an interval', async (t) => {
  const server = await chat(t, ...brisk);
  const active = await Client.as(server, 'active');
  const from = performance.now();
  while (active.pings < 4) await active.roundTrip();
  const intervals = (performance.now() - from) / 400;
  assert.ok(active.pings <= intervals + 2, `${active.pings} pings in ${intervals} intervals`);
});

for (const [name, stop] of [
  ['longer than the stall threshold', 3000],
  ['longer than the ping timeout only', 800],
]) {
  test(`a server stopped for ${name} and continued evicts nobody alive`, async (t) => {
    const server = await chat(t, ...brisk, '--max-per-room', 50);
    const clients = await Promise.all(
      Array.from({ length: 20 }, (_, n) => Client.as(server, `u${n}`, 'den')),
    );
    for (let round = 0; round < (stop > 1000 ? 1 : 3); round += 1) {
      server.signal('SIGSTOP');
      await timePasses(stop);
      server.signal('SIGCONT');
      const pings = clients.map((it) => it.pings);
      await until(() => clients.every((it, n) => it.closed || it.pings >= pings[n] + 3), 'pings');
      assert.deepEqual(clients.filter((it) => it.closed).map(String), []);
    }
    const stats = await server.reaches({ total_connections: 20, users: 20, closing: 0 });
    assert.equal(stats.closes.heartbeat_timeout ?? 0, 0);
  });
}

test('a quick reconnect shows in nobody’s presence', async (t) => {
  const server = await chat(t, '--leave-grace', 1);
  const witness = await Client.as(server, 'witness', 'den');
  let ann = await Client.as(server, 'ann', 'den');
  await witness.sees('witness', 'ann');
  const seen = witness.messages.length;
  for (const end of ['terminate', 'close', 'terminate']) {
    ann.socket[end]();
    await ann.end();
    ann = await Client.as(server, 'ann', 'den');
  }
  await timePasses(1500);
  await Client.as(server, 'carl', 'den');
  await witness.sees('witness', 'ann', 'carl');
  assert.deepEqual(witness.presences(seen), [['witness', 'ann', 'carl']]);
  ann.socket.terminate();
  await witness.sees('witness', 'carl');
});

test('who leaves by its own request is told at once', async (t) => {
  const server = await chat(t, '--leave-grace', 30);
  const witness = await Client.as(server, 'witness', 'den');
  const ann = await Client.as(server, 'ann', 'den');
  await witness.sees('witness', 'ann');
  ann.send({ type: 'unsubscribe', channel: 'den' });
  await witness.sees('witness');
});

test('with --presence off nobody is told who is there', async (t) => {
  const server = await chat(t, '--presence', 'off');
  const ann = await Client.as(server, 'ann', 'den');
  const bob = await Client.as(server, 'bob', 'den');
  bob.send({ type: 'message', channel: 'den', content: 1 });
  await ann.next({ type: 'message', sender: 'bob' });
  await bob.roundTrip();
  assert.deepEqual([...ann.messages, ...bob.messages].filter((it) => it.type === 'presence'), []);
});

test('with --health-ping all only a message counts as life, not a pong', async (t) => {
  const server = await chat(t, ...brisk, '--health-ping', 'all');
  let asked = 0;
  const answer = ({ type, timestamp }, client) => {
    if (type !== 'health_ping') return;
    asked += 1;
    client.send({ type: 'health_pong', timestamp });
  };
  const answering = await Client.as(server, 'answering', '', { answer });
  const proxied = await Client.as(server, 'proxied');
  await proxied.next({ type: 'health_ping' });
  assert.deepEqual(await proxied.end(), { code: 4201, reason: 'heartbeat_timeout' });
  await until(() => asked >= 6 || answering.closed, 'six health pings');
  await answering.roundTrip();
});

test('round-trip times are in the statistics', async (t) => {
  const server = await chat(t, ...brisk);
  const client = await Client.as(server, 'ann');
  await until(() => client.pings >= 2, 'two pings');
  const { rtt_ms: rtt } = await server.stats();
  assert.ok(rtt.p50 >= 0 && rtt.p99 >= rtt.p50 && rtt.p99 < 1000, JSON.stringify(rtt));
});

test('a client that sends nothing after its TCP connect is dropped at the handshake deadline', async (t) => {
  const server = await chat(t, '--handshake-timeout', 0.3);
  const net = await import('node:net');
  const socket = net.connect(server.port, '127.0.0.1');
  let answer = '';
  let over = false;
  socket.on('data', (data) => (answer += data)).on('error', () => {});
  socket.on('close', () => (over = true));
  await until(() => over, 'the end of a silent connection', 5000);
  assert.match(answer, /^(HTTP\/1\.1 408 |$)/);
  await server.reaches(NOBODY);
});
