// The echo servers: everything comes back, whatever its size.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import WebSocket from 'ws';
import { echo } from './server.mjs';
import { until } from './wait.mjs';

const MIB = 2 ** 20;

async function connect(server, path = '/', options = {}) {
  const socket = new WebSocket(`ws://${server.host}${path}`, {
    perMessageDeflate: false,
    maxPayload: 64 * MIB,
    ...options,
  });
  const client = { socket, heard: [], closed: null };
  socket.on('message', (data, binary) => client.heard.push({ data, binary }));
  socket.on('close', (code, reason) => (client.closed = { code, reason: reason.toString() }));
  socket.on('error', (error) => (client.error = error));
  await until(() => socket.readyState === WebSocket.OPEN || client.closed, 'the upgrade');
  assert.equal(client.closed, null, String(client.error));
  return client;
}

async function assertEchoed(client, message, milliseconds = 20_000) {
  const before = client.heard.length;
  client.socket.send(message);
  await until(() => client.heard.length > before || client.closed, 'an echo', milliseconds);
  assert.equal(client.closed, null, JSON.stringify(client.closed));
  const { data, binary } = client.heard.at(-1);
  assert.equal(binary, Buffer.isBuffer(message));
  assert.ok(data.equals(Buffer.from(message)), `${message.length} bytes came back changed`);
}

test('text and binary of every length class come back', async (t) => {
  const client = await connect(await echo(t));
  for (const length of [0, 1, 125, 126, 127, 65_535, 65_536, 65_537, MIB, 16 * MIB]) {
    await assertEchoed(client, randomBytes(length));
    await assertEchoed(client, 'ü'.repeat(length / 2));
  }
  assert.equal(client.heard.length, 20, 'nothing else came');
});

test('any path, any origin, no login', async (t) => {
  const server = await echo(t);
  for (const path of ['/', '/a/b/c', '/getCaseCount?agent=x', '/ws/den']) {
    const client = await connect(server, path, { origin: 'https://anywhere.example' });
    await assertEchoed(client, path);
  }
});

test('a message over 16 MiB is closed 1009', async (t) => {
  const client = await connect(await echo(t));
  // The last byte is the one too many: who still writes megabytes after a Close may miss it.
  client.socket.send(Buffer.alloc(16 * MIB), { fin: false });
  client.socket.send(Buffer.alloc(1), { fin: true });
  await until(() => client.closed, 'the end');
  assert.equal(client.closed.code, 1009);
});

test('fragments come back as one message, with a ping between them answered', async (t) => {
  const client = await connect(await echo(t));
  let ponged = null;
  client.socket.on('pong', (data) => (ponged = data.toString()));
  client.socket.send('one ', { fin: false });
  client.socket.ping('between');
  client.socket.send('two ', { fin: false });
  await until(() => ponged, 'the pong');
  assert.equal(ponged, 'between');
  assert.equal(client.heard.length, 0);
  client.socket.send('three', { fin: true });
  await until(() => client.heard.length, 'the message');
  assert.equal(client.heard[0].data.toString(), 'one two three');
});

test('messages come back in order, many at a time', async (t) => {
  const client = await connect(await echo(t));
  const count = 20_000;
  for (let n = 0; n < count; n += 1) client.socket.send(String(n));
  await until(() => client.heard.length === count || client.closed, `${count} echoes`, 30_000);
  assert.ok(client.heard.every(({ data }, n) => data.toString() === String(n)));
});

test('who writes without reading is not read from, and loses nothing', async (t) => {
  const server = await echo(t);
  const client = await connect(server);
  client.socket.pause();
  const messages = Array.from({ length: 200 }, (_, n) => Buffer.alloc(MIB, n));
  for (const message of messages) client.socket.send(message);
  // What neither the kernel nor the server takes stays here.
  let waiting = 0;
  let since = performance.now();
  await until(() => {
    if (client.socket.bufferedAmount !== waiting) {
      waiting = client.socket.bufferedAmount;
      since = performance.now();
    }
    return performance.now() - since > 500;
  }, 'the server to stop reading', 20_000);
  assert.ok(waiting > 50 * MIB, `${waiting / MIB} MiB wait here`);
  assert.ok(server.memory() < 150 * MIB, `${server.memory() / MIB} MiB in the server`);
  client.socket.resume();
  await until(() => client.heard.length === 200 || client.closed, 'all of them', 30_000);
  assert.equal(client.closed, null, JSON.stringify(client.closed));
  assert.ok(client.heard.every(({ data }, n) => data.equals(messages[n])));
});

test('a close is answered with its code', async (t) => {
  const server = await echo(t);
  for (const [code, reason] of [[1000, 'bye'], [3000, ''], [4999, 'x'.repeat(123)]]) {
    const client = await connect(server);
    client.socket.close(code, reason);
    await until(() => client.closed, 'the answer');
    assert.equal(client.closed.code, code);
  }
});
