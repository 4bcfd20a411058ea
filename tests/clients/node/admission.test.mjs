// Admission, when there are more clients than seats.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client } from './client.mjs';
import { NOBODY, chat } from './server.mjs';

/** Connects all at once and waits for every verdict. */
async function storm(server, count, path, options) {
  const clients = Array.from({ length: count }, (_, n) => new Client(server, path(n), options));
  await Promise.all(clients.map((it) => it.verdict()));
  return {
    clients,
    admitted: clients.filter((it) => it.in),
    refused: clients.filter((it) => !it.in),
  };
}

function assertAllClosed(clients, code, reason) {
  for (const client of clients) {
    assert.deepEqual(client.closed, { code, reason }, String(client));
    assert.deepEqual(client.messages, [], 'who is refused is told nothing else');
  }
}

function assertAllRefused(clients, status) {
  for (const client of clients) {
    assert.equal(client.refused?.status, status, String(client));
    assert.match(client.refused.headers['retry-after'], /^\d+$/);
    assert.equal(client.refused.headers.connection, 'close');
  }
}

async function assertGoneAfterLeaving(server, clients) {
  await Promise.all(clients.map((it) => it.leave()));
  await server.reaches(NOBODY);
}

const wide = ['--max-per-ip', 1000, '--max-per-room', 1000];

test('of 200 simultaneous connects at a limit of 100 exactly 100 are in', async (t) => {
  const server = await chat(t, '--max-connections', 100, ...wide);
  const { admitted, refused } = await storm(server, 200, (n) => `/ws?token=u${n}`);
  assert.equal(admitted.length, 100);
  assertAllClosed(refused, 4002, 'server_full');
  const stats = await server.reaches({ total_connections: 100, pending_handshakes: 0 });
  assert.equal(stats.max_connections, 100);
  assert.equal(stats.capacity_percent, 100);
  assert.equal(stats.users, 100);
  assert.equal(stats.refused.server_full, 100);
  await assertGoneAfterLeaving(server, admitted);
});

test('of 200 simultaneous connects to a lobby of 100 exactly 100 are in', async (t) => {
  const flags = ['--max-connections', 500, '--max-per-ip', 1000, '--max-per-room', 100];
  const server = await chat(t, ...flags);
  const { admitted, refused } = await storm(server, 200, (n) => `/ws/den?token=u${n}`);
  assert.equal(admitted.length, 100);
  assertAllClosed(refused, 4002, 'lobby_full');
  const stats = await server.reaches({ total_connections: 100, active_rooms: 1 });
  assert.equal(stats.active_lobbies, 1);
  assert.equal(stats.refused.lobby_full, 100);
  await assertGoneAfterLeaving(server, admitted);
});

test('the eleventh in a room of ten is told that the lobby is full, and gets in after one left', async (t) => {
  const server = await chat(t);
  const ten = await Promise.all(
    Array.from({ length: 10 }, (_, n) => Client.as(server, `u${n}`, 'den')),
  );
  const eleventh = await new Client(server, '/ws/den?token=late').verdict();
  assert.deepEqual(eleventh.closed, { code: 4002, reason: 'lobby_full' });
  await Client.as(server, 'elsewhere', 'other');
  await ten[3].leave();
  await server.reaches({ total_connections: 10 });
  await Client.as(server, 'late', 'den');
});

test('of 20 simultaneous connects of one address at a limit of 5 exactly 5 are in', async (t) => {
  const server = await chat(t, '--max-per-ip', 5);
  const { admitted, refused } = await storm(server, 20, (n) => `/ws?token=u${n}`);
  assert.equal(admitted.length, 5);
  assertAllClosed(refused, 4100, 'ip_limit');
  assert.equal((await server.stats()).refused.ip_limit, 15);
  await assertGoneAfterLeaving(server, admitted);
  await Client.as(server, 'again');
});

test('with --refuse http a full server answers 503', async (t) => {
  const server = await chat(t, '--max-connections', 20, ...wide, '--refuse', 'http');
  const { admitted, refused } = await storm(server, 40, (n) => `/ws?token=u${n}`);
  assert.equal(admitted.length, 20);
  assertAllRefused(refused, 503);
  assert.equal((await server.stats()).refused.server_full, 20);
  await assertGoneAfterLeaving(server, admitted);
});

test('with --refuse http a full lobby answers 503', async (t) => {
  const server = await chat(t, '--max-per-room', 3, '--refuse', 'http');
  const { admitted, refused } = await storm(server, 8, (n) => `/ws/den?token=u${n}`);
  assert.equal(admitted.length, 3);
  assertAllRefused(refused, 503);
  await assertGoneAfterLeaving(server, admitted);
});

test('with --refuse http an address with too many connections is answered 429', async (t) => {
  const server = await chat(t, '--max-per-ip', 3, '--refuse', 'http');
  const { admitted, refused } = await storm(server, 8, (n) => `/ws?token=u${n}`);
  assert.equal(admitted.length, 3);
  assertAllRefused(refused, 429);
  await assertGoneAfterLeaving(server, admitted);
});

test('pages are answered when the server is full', async (t) => {
  const server = await chat(t, '--max-connections', 1, '--max-per-ip', 1);
  await Client.as(server, 'only');
  for (const path of ['/', '/healthz', '/stats.json']) {
    assert.equal((await server.get(path)).status, 200, path);
  }
});

test('the address in X-Forwarded-For counts only from a trusted proxy', async (t) => {
  const from = (address) => ({ headers: { 'X-Forwarded-For': address } });
  const trusting = await chat(t, '--max-per-ip', 1, '--trusted-proxy', '127.0.0.0/8');
  await Client.as(trusting, 'a', '', from('192.0.2.1'));
  await Client.as(trusting, 'b', '', from('198.51.100.9, 192.0.2.2, 127.0.0.1'));
  for (const address of ['192.0.2.1', '192.0.2.7, 192.0.2.2']) {
    const third = await new Client(trusting, '/ws?token=c', from(address)).verdict();
    assert.deepEqual(third.closed, { code: 4100, reason: 'ip_limit' }, address);
  }
  const wary = await chat(t, '--max-per-ip', 1);
  await Client.as(wary, 'a', '', from('192.0.2.1'));
  const second = await new Client(wary, '/ws?token=b', from('192.0.2.2')).verdict();
  assert.deepEqual(second.closed, { code: 4100, reason: 'ip_limit' });
});

test('clients that vanish in the middle of a handshake leave nothing behind', async (t) => {
  const server = await chat(t, '--handshake-timeout', 5);
  const clients = Array.from({ length: 100 }, (_, n) => new Client(server, `/ws/den?token=u${n}`));
  for (const client of clients) client.socket.terminate();
  await Promise.all(clients.map((it) => it.end()));
  await server.reaches(NOBODY);
});
