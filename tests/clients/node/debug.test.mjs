// The endpoints for trying out what goes wrong.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client } from './client.mjs';
import { chat } from './server.mjs';
import { until } from './wait.mjs';

test('without --debug-endpoints there are none', async (t) => {
  const server = await chat(t);
  const ann = await Client.as(server, 'ann');
  for (const name of ['kick', 'ping', 'panic']) {
    assert.equal((await server.request('POST', `/debug/${name}?user=ann`)).status, 404);
  }
  await ann.roundTrip();
});

test('they answer to POST only', async (t) => {
  const server = await chat(t, '--debug-endpoints');
  const ann = await Client.as(server, 'ann');
  for (const name of ['kick', 'ping', 'panic']) {
    assert.equal((await server.get(`/debug/${name}?user=ann`)).status, 405);
  }
  await ann.roundTrip();
});

test('a page of another origin cannot use them', async (t) => {
  const server = await chat(t, '--debug-endpoints');
  const ann = await Client.as(server, 'ann');
  for (const origin of ['https://evil.example', 'null']) {
    for (const name of ['kick', 'ping', 'panic']) {
      const path = `/debug/${name}?user=ann`;
      assert.equal((await server.request('POST', path, { origin })).status, 403, `${name} ${origin}`);
    }
  }
  await ann.roundTrip();
  const own = { origin: `http://127.0.0.1:${server.port}`, host: `127.0.0.1:${server.port}` };
  assert.equal((await server.request('POST', '/debug/ping?user=ann', own)).status, 200);
});

test('a kicked user is closed 4004 on every device', async (t) => {
  const server = await chat(t, '--debug-endpoints', '--users', 'allow:2');
  const devices = [await Client.as(server, 'ann'), await Client.as(server, 'ann')];
  const bob = await Client.as(server, 'bob');
  const { status } = await server.request('POST', '/debug/kick?user=ann');
  assert.ok(status >= 200 && status < 300, `${status}`);
  for (const device of devices) {
    assert.deepEqual(await device.end(), { code: 4004, reason: 'kicked' });
  }
  await bob.roundTrip();
  await server.reaches({ total_connections: 1, users: 1, closes: { kicked: 2 } });
});

test('a pinged user answers with a round-trip time per connection', async (t) => {
  const server = await chat(t, '--debug-endpoints', '--users', 'allow:2');
  await Client.as(server, 'ann');
  await Client.as(server, 'ann', '', { autoPong: false });
  const { status, headers, body } = await server.request('POST', '/debug/ping?user=ann');
  assert.equal(status, 200);
  assert.match(headers['content-type'], /^application\/json/);
  const result = JSON.parse(body);
  t.diagnostic(body);
  assert.match(body, /rtt|ms/, 'the one that answered');
  const connections = Array.isArray(result) ? result : Object.values(result).find(Array.isArray);
  assert.equal(connections?.length, 2, body);
});

test('a panic in a hook costs one connection, and the process lives on', async (t) => {
  const server = await chat(t, '--debug-endpoints');
  const ann = await Client.as(server, 'ann', 'den');
  const bob = await Client.as(server, 'bob', 'den');
  for (let round = 0; round < 3; round += 1) {
    const victim = await Client.as(server, 'victim', 'den');
    const { status } = await server.request('POST', '/debug/panic?user=victim');
    assert.ok(status >= 200 && status < 300, `${status}`);
    victim.send({ type: 'subscribe', channel: 'side' });
    victim.send({ type: 'message', channel: 'den', content: 'boo' });
    assert.deepEqual(await victim.end(), { code: 1011, reason: 'internal' });
  }
  await server.reaches({ total_connections: 2, users: 2, active_rooms: 1, closes: { internal: 3 } });
  ann.send({ type: 'message', channel: 'den', content: 'still here' });
  await bob.next({ type: 'message', sender: 'ann', content: 'still here' });
  await Client.as(server, 'victim', 'den');
  assert.equal(server.ended, null);
});

test('a user who is not there is told so', async (t) => {
  const server = await chat(t, '--debug-endpoints');
  for (const name of ['kick', 'ping']) {
    const { status } = await server.request('POST', `/debug/${name}?user=nobody`);
    assert.ok(status < 500, `${name}: ${status}`);
  }
  assert.equal((await server.request('POST', '/debug/kick')).status, 400);
  await until(() => server.ended === null, 'it lives');
});

test('the recorder says why a connection was closed, without content', async (t) => {
  const server = await chat(t, '--debug-endpoints', '--recorder', 1 << 20);
  const ann = await Client.as(server, 'ann', 'den');
  ann.send({ type: 'message', channel: 'den', content: 'between us', id: 1 });
  await ann.next({ type: 'ack' });
  await server.request('POST', '/debug/kick?user=ann');
  await ann.end();
  const { status, body } = await server.request('POST', '/debug/dump');
  assert.equal(status, 200);
  const lines = body.trim().split('\n').map((line) => JSON.parse(line));
  assert.equal(lines[0].switchboard_recording, 1);
  const ended = lines.find((line) => line.op === 'ended');
  assert.deepEqual([ended.user, ended.reason, ended.rule], ['ann', 'kicked', 'application']);
  assert.equal(lines.at(-1).complete, true);
  assert.ok(!body.includes('between us'));
});

test('without a recorder there is nothing to dump', async (t) => {
  const server = await chat(t, '--debug-endpoints');
  assert.equal((await server.request('POST', '/debug/dump')).status, 404);
});
