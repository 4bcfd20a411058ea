// A page that keeps what it has inflated, and reads the messages of a room after it, in any browser.

import assert from 'node:assert/strict';
import { Client } from '../node/client.mjs';
import { chat } from '../node/server.mjs';
import { until } from '../node/wait.mjs';

/** Words that compress well, and that no other number has. */
export const words = (number, length = 2_000) => `${number} ${'how now brown cow '.repeat(length / 18 + 1)}`.slice(0, length).trim();

/** Connects a page, which has to say what it was told, and whether that was all. */
const listens = (url) => {
  const heard = { extensions: '', kinds: [], messages: [], closed: null };
  const socket = new WebSocket(url, 'switchboard.v1.json');
  Object.assign(globalThis, { heard, socket });
  socket.onopen = () => (heard.extensions = socket.extensions);
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    heard.kinds.push(message.type);
    if (message.type === 'message') heard.messages.push([message.channel, message.seq, message.content]);
  };
  socket.onclose = ({ code }) => (heard.closed = code);
};

/** Has a page hear some hundred short lines of a room, among others that are no part of its context. */
export async function readsAfterWhatItInflated(t, page) {
  const server = await chat(t, '--compress', 'on', '--room-contexts', 4, '--rate', 0, '--origin', 'any', '--users', 'allow:9');
  await page.evaluate(listens, `ws://${server.host}/ws/den?token=bob`);
  const sends = (message) => page.evaluate((text) => globalThis.socket.send(text), JSON.stringify(message));
  const subscribed = (rooms) => page.evaluate((rooms) => globalThis.heard.kinds.filter((it) => it === 'subscribed').length === rooms, rooms);
  await until(() => subscribed(1), 'the room');
  assert.match(await page.evaluate(() => globalThis.heard.extensions), /^permessage-deflate/);
  assert.doesNotMatch(await page.evaluate(() => globalThis.heard.extensions), /server_no_context_takeover/);
  const plain = await Client.as(server, 'cy', 'den');
  plain.send({ type: 'subscribe', channel: 'attic' });
  await plain.next({ type: 'subscribed', channel: 'attic' });
  await sends({ type: 'subscribe', channel: 'attic' });
  await until(() => subscribed(2), 'both rooms');
  const expected = [];
  const counts = { den: 0, attic: 0 };
  const say = (channel, content) => {
    counts[channel] += 1;
    expected.push([channel, counts[channel], content]);
    plain.send({ type: 'message', channel, content });
  };
  const heardAll = () => page.evaluate((count) => globalThis.heard.closed !== null || globalThis.heard.messages.length === count, expected.length);
  for (let number = 1; number <= 300; number += 1) {
    say('den', `line ${number}: the ${number % 7}. build is done, who looks at it?`);
    // Of another room, which is plain, and longer ones.
    if (number % 9 === 0) say('attic', `line ${number} of another room`);
    if (number % 70 === 0) say('den', words(number, 3_000));
    // Its own, which the page does not get.
    if (number % 100 === 0) {
      await until(heardAll, 'all so far');
      const own = { type: 'message', channel: 'den', content: `own ${number}` };
      await sends(own);
      await plain.next({ type: 'message', content: own.content });
      counts.den += 1;
    }
  }
  await until(heardAll, 'all messages');
  const [closed, messages] = await page.evaluate(() => [globalThis.heard.closed, globalThis.heard.messages]);
  assert.equal(closed, null);
  const of = (channel, messages) => messages.filter(([its]) => its === channel);
  for (const channel of ['den', 'attic']) assert.deepEqual(of(channel, messages), of(channel, expected));
  const { contexts, bytes_out: sent } = await server.stats();
  // All but the page's own lines went to it alone.
  assert.ok(sent < contexts.bytes_in * 0.7, `${sent} of ${contexts.bytes_in}`);
  assert.ok(contexts.messages >= 300, JSON.stringify(contexts));
  assert.ok(contexts.bytes_out < contexts.bytes_in * 0.45, JSON.stringify(contexts));
}
