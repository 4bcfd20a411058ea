// The HTTP API, as a back end in another language uses it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client } from './client.mjs';
import { chat, run } from './server.mjs';
import { until } from './wait.mjs';

const KEY = 'a-key';

async function withApi(t, ...flags) {
  const server = await chat(t, '--api', '127.0.0.1:0', { SWITCHBOARD_API_KEY: KEY }, ...flags);
  const address = () => /^API listening on (127\.0\.0\.1:\d+)$/m.exec(server.stdout)?.[1];
  await until(address, 'the address of the API');
  const call = async (method, fields, { key = KEY, type = 'application/json' } = {}) => {
    const answer = await fetch(`http://${address()}/api/${method}`, {
      method: 'POST',
      headers: { 'X-API-Key': key, 'Content-Type': type },
      body: JSON.stringify(fields),
    });
    return { status: answer.status, body: await answer.json() };
  };
  return { server, call };
}

test('a back end publishes to a room and learns what became of it', async (t) => {
  const { server, call } = await withApi(t);
  const ann = await Client.as(server, 'ann', 'den');
  const { status, body } = await call('publish', { channel: 'den', content: { news: 1.5 } });
  assert.equal(status, 200);
  assert.equal(body.seq, 1);
  assert.equal(body.accepted, 1);
  const message = await ann.next({ type: 'message' });
  assert.deepEqual(message.content, { news: 1.5 });
  assert.equal('sender' in message, false);
});

test('a back end throws a user out', async (t) => {
  const { server, call } = await withApi(t);
  const ann = await Client.as(server, 'ann', 'den');
  const { body } = await call('disconnect', { user: 'ann', code: 4501, reason: 'banned' });
  assert.deepEqual(body, { disconnected: 1 });
  assert.deepEqual(await ann.end(), { code: 4501, reason: 'banned' });
});

test('a wrong key, a wrong type and a wrong field are told apart', async (t) => {
  const { call } = await withApi(t);
  assert.equal((await call('info', {}, { key: 'another' })).status, 401);
  assert.equal((await call('info', {}, { type: 'text/plain' })).status, 415);
  assert.equal((await call('nothing', {})).status, 404);
  const { status, body } = await call('publish', { channel: '', content: 1 });
  assert.equal(status, 400);
  assert.equal(body.error.field, 'channel');
});

test('without its key the API is not started', async () => {
  const { code, stderr } = await run(['--listen', '127.0.0.1:0', '--api', '127.0.0.1:0']);
  assert.equal(code, 2);
  assert.match(stderr, /^error: --api 127\.0\.0\.1:0: SWITCHBOARD_API_KEY must be set/);
});
