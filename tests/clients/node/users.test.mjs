// The same user twice, under each policy.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, sleeper } from './client.mjs';
import { NOBODY, chat } from './server.mjs';

/** Sends to a user and says how many connections it reached. */
async function direct(from, to) {
  const id = `to-${to}-${Math.random()}`;
  from.send({ type: 'direct', to, content: 'psst', id });
  return (await from.next({ type: 'ack', id })).delivered;
}

test('by default a second connection of a user replaces the first', async (t) => {
  const server = await chat(t);
  const first = await Client.as(server, 'ann', 'den');
  const second = await Client.as(server, 'ann', 'den');
  assert.deepEqual(await first.end(), { code: 1000, reason: 'replaced' });
  const stats = await server.reaches({ total_connections: 1, users: 1, closing: 0 });
  assert.equal(stats.closes.replaced, 1);
  await second.leave();
  await server.reaches(NOBODY);
});

test('the late close of a replaced connection leaves its successor reachable', async (t) => {
  const server = await chat(t, '--users', 'replace', '--close-timeout', 30);
  const bob = await Client.as(server, 'bob', 'den');
  const first = await Client.as(server, 'ann', 'den');
  // Reads nothing, so does not answer the Close.
  first.socket.pause();
  const second = await Client.as(server, 'ann', 'den');
  await server.reaches({ total_connections: 2, closing: 1 });
  assert.equal(await direct(bob, 'ann'), 1);
  first.socket.resume();
  assert.deepEqual(await first.end(), { code: 1000, reason: 'replaced' });
  await server.reaches({ total_connections: 2, users: 2, closing: 0 });
  assert.equal(await direct(bob, 'ann'), 1);
  await second.next({ type: 'direct', sender: 'bob' });
  await second.next({ type: 'direct', sender: 'bob' });
  bob.send({ type: 'message', channel: 'den', content: 'all' });
  await second.next({ type: 'message', sender: 'bob' });
});

test('a replaced connection is missed by nobody: its user never left', async (t) => {
  const server = await chat(t, '--leave-grace', 0.05);
  const bob = await Client.as(server, 'bob', 'den');
  await Client.as(server, 'ann', 'den');
  await bob.sees('bob', 'ann');
  const seen = bob.messages.length;
  for (let round = 0; round < 5; round += 1) await Client.as(server, 'ann', 'den');
  await server.reaches({ total_connections: 2, closing: 0 });
  await Client.as(server, 'carl', 'den');
  await bob.sees('bob', 'ann', 'carl');
  assert.deepEqual(bob.presences(seen), [['bob', 'ann', 'carl']]);
});

test('with --users reject the newcomer is told that the user is connected', async (t) => {
  const server = await chat(t, '--users', 'reject');
  const first = await Client.as(server, 'ann');
  const second = await new Client(server, '/ws?token=ann').verdict();
  assert.deepEqual(second.closed, { code: 4005, reason: 'already_connected' });
  await first.roundTrip();
  assert.equal((await server.stats()).refused.already_connected, 1);
  await first.leave();
  await server.reaches(NOBODY);
  await Client.as(server, 'ann');
});

test('with --users reject and --refuse http the newcomer is answered 409', async (t) => {
  const server = await chat(t, '--users', 'reject', '--refuse', 'http');
  await Client.as(server, 'ann');
  const second = await new Client(server, '/ws?token=ann').verdict();
  assert.equal(second.refused?.status, 409);
});

test('with --users allow:2 the oldest of three goes and the others are reached', async (t) => {
  const server = await chat(t, '--users', 'allow:2');
  const bob = await Client.as(server, 'bob');
  const first = await Client.as(server, 'ann');
  const second = await Client.as(server, 'ann');
  assert.equal(await direct(bob, 'ann'), 2);
  const third = await Client.as(server, 'ann');
  assert.deepEqual(await first.end(), { code: 1000, reason: 'replaced' });
  assert.equal(await direct(bob, 'ann'), 2);
  await second.next({ type: 'direct' });
  await third.next({ type: 'direct' });
  await server.reaches({ total_connections: 3, users: 2 });
});

test('a user whose dead connection fills the last seat gets in by replacing it', async (t) => {
  const server = await chat(t, '--max-connections', 2, '--max-per-ip', 100, '--max-per-room', 2);
  await Client.as(server, 'bob', 'den');
  const dead = await sleeper(t, server, '/ws/den?token=ann');
  dead.stop();
  const stranger = await new Client(server, '/ws/den?token=carl').verdict();
  assert.deepEqual(stranger.closed, { code: 4002, reason: 'server_full' });
  await Client.as(server, 'ann', 'den');
  await server.reaches({ total_connections: 2, users: 2 });
});

test('a user who holds the last seat of a lobby gets in again by replacing', async (t) => {
  const server = await chat(t, '--max-per-room', 1);
  const first = await Client.as(server, 'ann', 'den');
  await Client.as(server, 'ann', 'den');
  assert.deepEqual(await first.end(), { code: 1000, reason: 'replaced' });
});

test('of many logins of one user at once exactly one stays', async (t) => {
  const server = await chat(t);
  const all = Array.from({ length: 30 }, () => new Client(server, '/ws/den?token=ann'));
  await Promise.all(all.map((it) => it.verdict()));
  await server.reaches({ total_connections: 1, users: 1, closing: 0 });
  const alive = all.filter((it) => !it.closed);
  assert.equal(alive.length, 1);
  for (const client of all.filter((it) => it.closed)) {
    assert.deepEqual(client.closed, { code: 1000, reason: 'replaced' });
  }
  await alive[0].leave();
  await server.reaches(NOBODY);
});
