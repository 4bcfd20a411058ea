// A planned end: everybody is told, spread over the window.

import assert from 'node:assert/strict';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { test } from 'node:test';
import { Client, sleeper } from './client.mjs';
import { chat } from './server.mjs';
import { until } from './wait.mjs';

async function crowd(server, count) {
  const clients = [];
  // In portions that fit into the backlog of a listener.
  while (clients.length < count) {
    const portion = Math.min(100, count - clients.length);
    const names = Array.from({ length: portion }, (_, n) => `u${clients.length + n}`);
    clients.push(...(await Promise.all(names.map((it) => Client.as(server, it, 'den')))));
  }
  return clients;
}

test('SIGTERM closes 1000 connections with bye and 1001, spread over the window, and exits 0', async (t) => {
  const limits = ['--max-connections', 1100, '--max-per-room', 1100, '--rate', 0];
  const server = await chat(t, ...limits, '--drain-window', 3);
  const clients = await crowd(server, 1000);
  await server.reaches({ total_connections: 1000 });
  const ends = [];
  for (const client of clients) client.socket.on('close', () => ends.push(performance.now()));
  const delay = monitorEventLoopDelay({ resolution: 10 });
  delay.enable();
  const from = performance.now();
  server.signal('SIGTERM');
  const { code } = await server.exited;
  const took = performance.now() - from;
  assert.equal(code, 0);
  await until(() => ends.length === 1000, () => `1000 ends, not ${ends.length}`);
  for (const client of clients) {
    assert.deepEqual(client.closed, { code: 1001, reason: 'draining' }, String(client));
    const bye = client.messages.at(-1);
    assert.equal(bye.type, 'bye', String(client));
    assert.equal(bye.code, 1001);
    assert.equal(bye.reason, 'draining');
    assert.ok(Number.isInteger(bye.reconnect_in_ms) && bye.reconnect_in_ms >= 0);
  }
  const parts = [0, 0, 0];
  for (const end of ends) parts[Math.max(0, Math.min(2, Math.floor((end - from) / 1000)))] += 1;
  const stood = Math.round(delay.max / 1e6);
  t.diagnostic(`ends per second ${parts}, all in ${took.toFixed()} ms; this host stood for ${stood} ms`);
  // Where the whole machine stood still, its ends come in a lump, whenever they were due.
  const slack = stood < 200 ? 0 : stood;
  for (const part of parts) {
    assert.ok(part > 200 - slack && part < 500 + slack, `ends per second: ${parts}`);
  }
  assert.ok(took > 2000 && took < 6000, `${took} ms`);
  const delays = new Set(clients.map((it) => it.messages.at(-1).reconnect_in_ms));
  assert.ok(delays.size > 10, 'they are not all told the same delay');
});

test('while it drains newcomers are told to come back, and those inside work on', async (t) => {
  const server = await chat(t, '--drain-window', 4);
  const clients = await crowd(server, 10);
  server.signal('SIGTERM');
  await until(() => clients.some((it) => it.closed), 'the first end');
  const late = await new Client(server, '/ws/den?token=late').verdict();
  assert.deepEqual(late.closed, { code: 1012, reason: 'restart' });
  assert.equal((await server.stats()).draining, true);
  const inside = clients.findLast((it) => !it.closed);
  await inside.roundTrip().catch((error) => {
    // Its own turn may have come meanwhile.
    assert.equal(inside.closed?.code, 1001, error);
  });
  assert.equal((await server.exited).code, 0);
  for (const client of clients) assert.equal((await client.end()).code, 1001);
});

test('with --refuse http a draining server answers 503 with Retry-After', async (t) => {
  const server = await chat(t, '--drain-window', 3, '--refuse', 'http');
  await crowd(server, 10);
  server.signal('SIGINT');
  await until(async () => (await server.stats()).draining, 'draining');
  const late = await new Client(server, '/ws/den?token=late').verdict();
  assert.equal(late.refused?.status, 503);
  assert.match(late.refused.headers['retry-after'], /^\d+$/);
  assert.equal((await server.exited).code, 0);
});

test('a window of zero closes all at once', async (t) => {
  const server = await chat(t, '--drain-window', 0);
  const clients = await crowd(server, 10);
  const from = performance.now();
  server.signal('SIGTERM');
  assert.equal((await server.exited).code, 0);
  assert.ok(performance.now() - from < 2000);
  await Promise.all(clients.map((it) => it.end()));
  for (const client of clients) assert.equal(client.closed.code, 1001);
});

test('an empty server exits at once', async (t) => {
  const server = await chat(t, '--drain-window', 60);
  server.signal('SIGTERM');
  await until(() => server.ended, 'the end of an empty server', 2000);
  assert.equal(server.ended.code, 0);
});

test('a dead client holds the end up to the deadline only', async (t) => {
  const flags = ['--drain-window', 0.2, '--drain-deadline', 1, '--close-timeout', 60];
  const server = await chat(t, ...flags);
  const dead = await sleeper(t, server, '/ws/den?token=ann');
  dead.stop();
  const from = performance.now();
  server.signal('SIGTERM');
  assert.equal((await server.exited).code, 0);
  const took = performance.now() - from;
  assert.ok(took > 500 && took < 3000, `${took} ms`);
});

test('a second signal ends at once with status 1', async (t) => {
  const server = await chat(t, '--drain-window', 60);
  const clients = await crowd(server, 5);
  server.signal('SIGTERM');
  await until(async () => (await server.stats()).draining, 'draining');
  server.signal('SIGTERM');
  await until(() => server.ended, 'the end', 2000);
  assert.equal(server.ended.code, 1);
  await Promise.all(clients.map((it) => it.end()));
});
