// What clients write that they may not: an error that says so, and the connection works on.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client } from './client.mjs';
import { chat } from './server.mjs';

/** Sends each text on a connection of its own: strikes add up on one. */
async function assertAnswered(server, texts, code) {
  for (const text of texts) {
    const client = await Client.as(server, 'ann', 'den');
    client.send(text);
    const error = await client.next({ type: 'error' });
    const told = `${text.slice(0, 80)}: ${JSON.stringify(error)}`;
    assert.equal(error.code, code, told);
    assert.ok(typeof error.message === 'string' && error.message, told);
    await client.roundTrip();
  }
}

test('J1: deep nesting is a bad request', async (t) => {
  const server = await chat(t, '--rate', 0);
  const nested = (depth) => '['.repeat(depth) + ']'.repeat(depth);
  await assertAnswered(
    server,
    ['['.repeat(60_000), nested(30_000), `{"type":"message","content":${nested(200)}}`, '{"a":'.repeat(10_000)],
    'bad_request',
  );
});

test('J2: numbers of any size pass through exactly', async (t) => {
  const server = await chat(t, '--rate', 0);
  const ann = await Client.as(server, 'ann', 'den');
  const bob = await Client.as(server, 'bob', 'den');
  let last = '';
  bob.socket.on('message', (data) => (last = data.toString()));
  for (const number of ['1e999', '18446744073709551616', '-0', '0.10', '7'.repeat(10_000)]) {
    ann.send(`{"type":"message","channel":"den","content":${number}}`);
    await bob.next({ type: 'message' });
    assert.ok(last.includes(`"content":${number},`), last.slice(0, 100));
  }
  await assertAnswered(server, ['{"type":"message","content":01}', '{"type":"ping","timestamp":+1}'], 'bad_request');
});

test('J3: a field given twice is refused', async (t) => {
  const server = await chat(t, '--rate', 0);
  const texts = [
    '{"type":"ping","type":"message","content":1}',
    '{"type":"message","channel":"den","channel":"other","content":1}',
    '{"type":"message","ty\\u0070e":"ping","content":1}',
  ];
  await assertAnswered(server, texts, 'bad_request');
});

test('J4: a lone surrogate is refused', async (t) => {
  const server = await chat(t, '--rate', 0);
  const texts = [
    '{"type":"subscribe","channel":"\\ud800"}',
    '{"type":"message","channel":"den","content":"\\udc00x"}',
    '{"type":"subscribe","channel":"a\\u0000"}',
  ];
  await assertAnswered(server, texts, 'bad_request');
});

test('J5: what is no request is told so', async (t) => {
  const server = await chat(t, '--rate', 0);
  const texts = [
    '',
    ' ',
    'null',
    '[]',
    '7',
    '"ping"',
    '{}',
    '{',
    'NaN',
    '\ufeff{"type":"ping"}',
    '{"type":"ping"} x',
    '{"type":"ping"}{"type":"ping"}',
    '{"type":null}',
    '{"type":["ping"]}',
    '{"type":"subscribe"}',
    '{"type":"subscribe","channel":7}',
    '{"type":"unsubscribe"}',
    '{"type":"message","channel":"den"}',
    '{"type":"direct","content":1}',
    '{"type":"direct","to":"bob"}',
    '{"type":"ping","id":{}}',
    "{'type':'ping'}",
  ];
  await assertAnswered(server, texts, 'bad_request');
  await assertAnswered(server, ['{"type":"nonsense"}', '{"type":""}', '{"type":"welcome"}'], 'unknown_type');
});

test('J6: a bad or too long name is refused', async (t) => {
  const server = await chat(t, '--rate', 0);
  const names = ['', 'a'.repeat(129), 'é'.repeat(65), 'a\nb', 'a\u007f', 'a\u0085', '\u0000'];
  const texts = names.map((channel) => JSON.stringify({ type: 'subscribe', channel }));
  await assertAnswered(server, texts, 'bad_request');
  // Names are bytes: what looks alike is not the same, and no character is a pattern.
  const ann = await Client.as(server, 'ann');
  for (const channel of ['a'.repeat(128), 'caf\u00e9', 'cafe\u0301', '*', 'a?[b]', 'zero\u200bwidth']) {
    ann.send({ type: 'subscribe', channel });
    await ann.next({ type: 'subscribed', channel, seq: 0 });
  }
});

test('J7: the sender is the connection’s user, whatever the client wrote', async (t) => {
  const server = await chat(t);
  const ann = await Client.as(server, 'ann', 'den');
  const bob = await Client.as(server, 'bob', 'den');
  ann.send({ type: 'message', channel: 'den', content: 1, sender: 'root', from: 'root', user: 'root', seq: 99 });
  assert.deepEqual(await bob.next({ type: 'message' }), {
    type: 'message',
    channel: 'den',
    content: 1,
    sender: 'ann',
    seq: 1,
  });
  ann.send({ type: 'direct', to: 'bob', content: 2, sender: 'root' });
  assert.deepEqual(await bob.next({ type: 'direct' }), { type: 'direct', content: 2, sender: 'ann' });
});

test('J8: who is not in a room does not speak in it', async (t) => {
  const server = await chat(t);
  const ann = await Client.as(server, 'ann', 'den');
  const bob = await Client.as(server, 'bob', 'other');
  bob.send({ type: 'message', channel: 'den', content: 'let me in', id: 1 });
  await bob.next({ type: 'error', code: 'not_in_channel', id: 1 });
  bob.send({ type: 'unsubscribe', channel: 'den', id: 2 });
  await bob.next({ type: 'error', code: 'not_in_channel', id: 2 });
  await ann.roundTrip();
  assert.ok(!ann.messages.some((it) => it.type === 'message'));
});

test('J9: binary is closed 1003', async (t) => {
  const server = await chat(t);
  const client = await Client.as(server, 'ann', 'den');
  client.socket.send(Buffer.from('{"type":"ping"}'));
  assert.deepEqual(await client.end(), { code: 1003, reason: 'unsupported_data' });
});

test('J10: names of JavaScript and of events are plain data', async (t) => {
  const server = await chat(t);
  const ann = await Client.as(server, '__proto__', 'constructor');
  assert.equal(ann.user, '__proto__');
  for (const channel of ['__proto__', 'connect', 'disconnect', 'error', 'toString']) {
    ann.send({ type: 'subscribe', channel });
    await ann.next({ type: 'subscribed', channel });
  }
});

test('J12: a message over the limit is closed 1009, one at the limit is not', async (t) => {
  const server = await chat(t, '--rate', 0);
  const client = await Client.as(server, 'ann', 'den');
  const empty = JSON.stringify({ type: 'ping', x: '' }).length;
  client.send({ type: 'ping', x: 'y'.repeat(65_536 - empty) });
  await client.next({ type: 'pong' });
  client.send({ type: 'message', channel: 'den', content: Array.from({ length: 30_000 }, () => 1) });
  await client.roundTrip();
  client.send({ type: 'ping', x: 'y'.repeat(65_536 - empty + 1) });
  assert.deepEqual(await client.end(), { code: 1009, reason: 'too_big' });
});

test('ten strikes within ten seconds are closed 4102', async (t) => {
  const server = await chat(t);
  const client = await Client.as(server, 'ann', 'den');
  for (let n = 0; n < 10; n += 1) client.send(n % 2 ? 'nonsense' : { type: 'nonsense' });
  assert.deepEqual(await client.end(), { code: 4102, reason: 'rate_limited' });
});

test('messages over the rate are told so, without effect, and then closed 4102', async (t) => {
  const server = await chat(t, '--rate', 5);
  const ann = await Client.as(server, 'ann', 'den');
  const bob = await Client.as(server, 'bob', 'den');
  for (let id = 0; id < 100; id += 1) ann.send({ type: 'message', channel: 'den', content: id, id });
  assert.deepEqual(await ann.end(), { code: 4102, reason: 'rate_limited' });
  const errors = ann.messages.filter((it) => it.type === 'error');
  assert.ok(errors.length >= 1 && errors.length <= 10, `${errors.length} errors`);
  for (const error of errors) {
    assert.equal(error.code, 'rate_limited');
    assert.equal(error.id, undefined);
    assert.ok(error.retry_after_ms > 0, JSON.stringify(error));
  }
  await bob.roundTrip();
  const heard = bob.messages.filter((it) => it.type === 'message').map((it) => it.content);
  assert.deepEqual(heard, heard.map((_, n) => n), 'the first ones, and no later one');
  assert.ok(heard.length >= 5 && heard.length <= 20, `${heard.length} heard`);
});
