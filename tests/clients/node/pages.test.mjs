// What is asked by plain HTTP.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client } from './client.mjs';
import { chat } from './server.mjs';

test('the chat page allows nothing but itself', async (t) => {
  const server = await chat(t);
  const { status, headers, body } = await server.get('/');
  assert.equal(status, 200);
  assert.match(headers['content-type'], /^text\/html; charset=utf-8$/i);
  assert.equal(headers.connection, 'close');
  const policy = Object.fromEntries(
    headers['content-security-policy'].split(';').map((it) => {
      const [name, ...values] = it.trim().split(/\s+/);
      return [name, values.join(' ')];
    }),
  );
  assert.equal(policy['default-src'], "'none'");
  for (const name of ['script-src', 'style-src', 'connect-src']) {
    assert.equal(policy[name], "'self'", name);
  }
  assert.match(body, /<!doctype html>/i);
  assert.doesNotMatch(body, /<script(?![^>]*\bsrc=)[^>]*>|\son\w+=|\sstyle=/i, 'nothing inline');
  // What it loads is here too.
  const parts = [...body.matchAll(/<(?:script|link)\b[^>]*?\b(?:src|href)="([^"]+)"/gi)];
  assert.ok(parts.length >= 2, 'a script and a style');
  for (const [, path] of parts) {
    if (path.startsWith('data:')) continue;
    assert.doesNotMatch(path, /^(\w+:)?\/\//, 'nothing from elsewhere');
    const part = await server.get(new URL(path, `http://${server.host}/`).pathname);
    assert.equal(part.status, 200, path);
    assert.ok(part.body.length > 0, path);
    assert.equal(part.headers['content-length'], String(Buffer.byteLength(part.body)));
  }
});

test('the page may connect: its own origin is allowed', async (t) => {
  const server = await chat(t);
  const headers = { Origin: `http://${server.host}` };
  await Client.enter(server, '/ws/den?token=ann', { headers });
});

test('/healthz answers', async (t) => {
  const server = await chat(t);
  assert.equal((await server.get('/healthz')).status, 200);
});

test('a draining node is alive and not ready', async (t) => {
  const server = await chat(t, '--drain-window', 30);
  assert.equal((await server.get('/livez')).status, 200);
  assert.equal((await server.get('/readyz')).status, 200);
  await Client.as(server, 'ann', 'den');
  server.signal('SIGTERM');
  await server.reaches({ draining: true });
  assert.equal((await server.get('/livez')).status, 200);
  assert.equal((await server.get('/readyz')).status, 503);
});

test('/stats.json has every key from the start', async (t) => {
  const server = await chat(t, '--max-connections', 40);
  const { headers } = await server.get('/stats.json');
  assert.match(headers['content-type'], /^application\/json/);
  const stats = await server.stats();
  const kinds = Object.fromEntries(Object.entries(stats).map(([key, it]) => [key, typeof it]));
  for (const key of [
    'total_connections',
    'max_connections',
    'capacity_percent',
    'active_rooms',
    'active_lobbies',
    'users',
    'pending_handshakes',
    'closing',
    'queued_bytes',
    'messages_in',
    'messages_out',
    'uptime_s',
  ]) {
    assert.equal(kinds[key], 'number', key);
  }
  for (const key of ['dropped', 'closes', 'refused', 'rtt_ms']) assert.equal(kinds[key], 'object', key);
  assert.deepEqual(Object.keys(stats.rtt_ms).sort(), ['p50', 'p99']);
  assert.equal(stats.draining, false);
  assert.equal(stats.max_connections, 40);
  assert.equal(stats.total_connections, 0);
});

test('the statistics count what happens', async (t) => {
  const server = await chat(t, '--max-connections', 4);
  const ann = await Client.as(server, 'ann', 'den');
  const bob = await Client.as(server, 'bob', 'den');
  ann.send({ type: 'subscribe', channel: 'side' });
  ann.send({ type: 'message', channel: 'den', content: 1 });
  await bob.next({ type: 'message' });
  await ann.roundTrip();
  const stats = await server.stats();
  assert.equal(stats.total_connections, 2);
  assert.equal(stats.capacity_percent, 50);
  assert.equal(stats.users, 2);
  assert.equal(stats.active_rooms, 2);
  assert.equal(stats.active_lobbies, 1);
  assert.equal(stats.messages_in, 3);
  assert.ok(stats.messages_out >= 8, `${stats.messages_out}`);
  await ann.leave();
  bob.socket.terminate();
  const after = await server.reaches({ total_connections: 0, active_rooms: 0 });
  assert.equal(after.closes.client_closed, 1);
  assert.equal((after.closes.eof ?? 0) + (after.closes.reset ?? 0), 1);
});

test('a path that does not exist is 404, a method that does not fit 405', async (t) => {
  const server = await chat(t);
  assert.equal((await server.get('/nothing')).status, 404);
  assert.equal((await server.get('/../etc/passwd')).status, 404);
  assert.equal((await server.request('POST', '/healthz')).status, 405);
  assert.equal((await server.request('POST', '/ws')).status, 405);
  const upgrade = await server.get('/ws');
  assert.equal(upgrade.status, 426);
  assert.equal(upgrade.headers.upgrade, 'websocket');
});

test('HEAD is answered like GET, without a body', async (t) => {
  const server = await chat(t);
  const { status, headers, body } = await server.request('HEAD', '/');
  assert.equal(status, 200);
  assert.ok(Number(headers['content-length']) > 0);
  assert.equal(body, '');
});
