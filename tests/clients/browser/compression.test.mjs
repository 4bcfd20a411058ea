// Compressed messages in a real browser: what Chromium inflates and compresses by itself.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Client } from '../node/client.mjs';
import { chat, echo } from '../node/server.mjs';
import { readsAfterWhatItInflated, words } from './in_step.mjs';
import { ChatPage, browser } from './pages.mjs';

let chromium;
before(async () => {
  chromium = await browser();
});
after(() => chromium?.close());

test('pages that inflate messages talk with one another and with a client that does not', async (t) => {
  const server = await chat(t, '--compress', 'on', '--rate', 0);
  const ann = await ChatPage.connected(t, chromium, server, 'ann');
  const bob = await ChatPage.connected(t, chromium, server, 'bob');
  const plain = await Client.as(server, 'cy', 'den');
  for (let number = 1; number <= 3; number += 1) {
    await ann.write(words(`a${number}`));
    await bob.hears('ann', words(`a${number}`));
    await bob.write(words(`b${number}`));
    await ann.hears('bob', words(`b${number}`));
  }
  plain.send({ type: 'message', channel: 'den', content: words('c') });
  await ann.hears('cy', words('c'));
  await bob.hears('cy', words('c'));
  // One that stays as it is, between others.
  await ann.write('short');
  await bob.hears('ann', 'short');
  for (const one of ['a1', 'b1', 'a2', 'b2', 'a3', 'b3']) {
    const { content } = await plain.next({ type: 'message', content: words(one) });
    assert.equal(content, words(one));
  }
  const { compressed, inflated } = await server.stats();
  assert.equal(compressed.connections, 2);
  assert.ok(compressed.messages >= 7, JSON.stringify(compressed));
  assert.ok(compressed.bytes_out < compressed.bytes_in / 4, JSON.stringify(compressed));
  assert.ok(inflated.messages >= 6, JSON.stringify(inflated));
  assert.deepEqual([...ann.broken, ...bob.broken], []);
});

test('who comes late sees the history of a room that it inflates', async (t) => {
  const server = await chat(t, '--compress', 'on', '--rate', 0);
  const plain = await Client.as(server, 'cy', 'den');
  const bob = await ChatPage.connected(t, chromium, server, 'bob');
  const texts = Array.from({ length: 5 }, (_, number) => words(number));
  for (const content of texts) plain.send({ type: 'message', channel: 'den', content });
  await bob.tells(...texts);
  const ann = await ChatPage.connected(t, chromium, server, 'ann');
  await ann.tells(...texts);
  assert.deepEqual([...ann.broken, ...bob.broken], []);
});

test('messages of any size come back as they were sent', async (t) => {
  const server = await echo(t, '--compress', 'on');
  const { page } = await ChatPage.blank(t, chromium);
  const sizes = [0, 1, 125, 126, 511, 512, 65_535, 65_536, 1 << 20];
  const wrong = await page.evaluate(async ([url, sizes]) => {
    const socket = new WebSocket(url);
    socket.binaryType = 'arraybuffer';
    await new Promise((resolve, reject) => [socket.onopen, socket.onerror] = [resolve, reject]);
    if (!socket.extensions.startsWith('permessage-deflate')) return [`extensions: ${socket.extensions}`];
    const echoed = (message) => new Promise((resolve, reject) => {
      socket.onmessage = ({ data }) => resolve(data);
      socket.onclose = ({ code }) => reject(new Error(`closed: ${code}`));
      socket.send(message);
    });
    const wrong = [];
    for (const size of sizes) {
      const noise = new Uint8Array(size);
      for (let at = 0; at < size; at += 65_536) crypto.getRandomValues(noise.subarray(at, at + 65_536));
      const text = 'how now brown cow '.repeat(size / 18 + 1).slice(0, size);
      if (await echoed(text) !== text) wrong.push(`text of ${size} bytes`);
      const back = new Uint8Array(await echoed(noise));
      if (back.length !== size || back.some((byte, at) => byte !== noise[at])) wrong.push(`${size} random bytes`);
    }
    return wrong;
  }, [`ws://${server.host}/`, sizes]);
  assert.deepEqual(wrong, []);
});

test('a page keeps what it has inflated, and reads short lines after it', async (t) => {
  const { page } = await ChatPage.blank(t, chromium);
  await readsAfterWhatItInflated(t, page);
});
