// What the chat page shows of what was said while nobody looked.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Client } from '../node/client.mjs';
import { network } from '../node/network.mjs';
import { again, chat } from '../node/server.mjs';
import { until } from '../node/wait.mjs';
import { ChatPage, browser } from './pages.mjs';

let chromium;
before(async () => {
  chromium = await browser();
});
after(() => chromium?.close());

const connected = (t, server, name, room) => ChatPage.connected(t, chromium, server, name, room);

/** Says something in a room without a page, and waits until the server has it. */
async function says(server, name, ...texts) {
  const client = await Client.as(server, name, 'den');
  for (const [id, content] of texts.entries()) {
    client.send({ type: 'message', channel: 'den', content, id });
    await client.next({ type: 'ack', id });
  }
  await client.leave();
}

test('a newcomer reads the last messages, without a time that nobody told', async (t) => {
  const server = await chat(t, '--on-join', 2);
  await says(server, 'bob', 'one', 'two', 'three');
  const ann = await connected(t, server, 'ann');
  await ann.tells('two', 'three');
  assert.equal(await ann.text('#log .entry-head >> nth=0'), 'bob earlier');
  assert.equal(await ann.page.locator('#log .divider').count(), 0);
});

test('what was said since the last visit stands below a line', async (t) => {
  const server = await chat(t, '--on-join', 1);
  await says(server, 'bob', 'before');
  const ann = await connected(t, server, 'ann');
  await ann.tells('before');
  await ann.page.goto('about:blank');
  await says(server, 'bob', 'one', 'two', 'three');
  await ann.visits(server, 'ann', 'den');
  await ann.tells('before', 'one', 'two', 'three');
  const log = await ann.page.locator('#log .bubble, #log .notice').allInnerTexts();
  assert.deepEqual(log, ['before', 'New since you were here', 'one', 'two', 'three']);
  assert.match(await ann.text('#log .entry-head >> nth=1'), /since you were here/);
  // What it has shown is not new again.
  await ann.page.goto('about:blank');
  await ann.visits(server, 'ann', 'den');
  await ann.tells('before', 'one', 'two', 'three');
  assert.equal(await ann.page.locator('#log .divider').count(), 0);
  assert.deepEqual(ann.broken, []);
});

test('the line moves to what came during the latest absence', async (t) => {
  const server = await chat(t);
  const ann = await connected(t, server, 'ann');
  await says(server, 'bob', 'one');
  await ann.tells('one');
  await ann.page.goto('about:blank');
  await says(server, 'bob', 'two');
  await ann.visits(server, 'ann', 'den');
  await ann.tells('one', 'two');
  await ann.goes('hall');
  await says(server, 'bob', 'three');
  await until(async () => (await ann.page.title()).startsWith('(1)'), 'an unread message');
  await ann.goes('den');
  await ann.tells('one', 'two', 'three');
  const log = await ann.page.locator('#log .bubble, #log .divider').allInnerTexts();
  assert.deepEqual(log, ['one', 'two', 'New since you were here', 'three']);
});

test('what another user of this browser has seen is not taken for seen', async (t) => {
  const server = await chat(t);
  await says(server, 'bob', 'hello');
  const ann = await connected(t, server, 'ann');
  await ann.tells('hello');
  await ann.page.goto('about:blank');
  await says(server, 'bob', 'again');
  await ann.visits(server, 'zoe', 'den');
  await ann.tells('hello', 'again');
  assert.equal(await ann.page.locator('#log .divider').count(), 0);
});

test('what the server does not keep any more is named as lost', async (t) => {
  const server = await chat(t, '--history', 2);
  const ann = await connected(t, server, 'ann');
  await says(server, 'bob', 'zero');
  await ann.tells('zero');
  await ann.page.goto('about:blank');
  await says(server, 'bob', 'one', 'two', 'three', 'four', 'five');
  await ann.visits(server, 'ann', 'den');
  await ann.tells('four', 'five');
  await ann.notes('3 messages were sent since you were here and cannot be recovered.');
});

test('a room that was started anew since the last visit says so', async (t) => {
  const server = await chat(t);
  await says(server, 'bob', 'old');
  const ann = await connected(t, server, 'ann');
  await ann.tells('old');
  await ann.page.goto('about:blank');
  server.kill();
  await server.exited;
  const next = await again(t, server);
  await says(next, 'bob', 'new');
  await ann.visits(next, 'ann', 'den');
  await ann.tells('new');
  await ann.notes('The room was started anew since you were here: what was said in between cannot be recovered.');
});

test('what was said while the network was cut comes once, with what was not sent before it', async (t) => {
  const server = await chat(t, '--ping-interval', 1, '--ping-timeout', 3);
  const between = await network(t, server);
  const ann = await connected(t, between, 'ann');
  const bob = await connected(t, server, 'bob');
  await bob.write('one');
  await ann.tells('one');
  between.cut();
  await ann.write('lost?');
  await server.reaches({ total_connections: 1 });
  await bob.write('two');
  await bob.write('three');
  between.reset();
  await ann.is('waiting');
  between.heal();
  await ann.is('connected');
  await ann.tells('one', 'lost?', 'two', 'three');
  await bob.tells('one', 'two', 'three', 'lost?');
  await until(async () => (await ann.text('#log .own .delivery')) === 'Sent', 'that the server has it');
  await bob.write('four');
  await ann.tells('one', 'lost?', 'two', 'three', 'four');
  assert.equal(await ann.page.locator('#log .gap').count(), 0);
  assert.deepEqual([...ann.broken, ...bob.broken], []);
});

test('a connection that ends before the answer does not send a message twice', async (t) => {
  const server = await chat(t);
  const between = await network(t, server);
  const ann = await connected(t, between, 'ann');
  const bob = await connected(t, server, 'bob');
  // The message arrives, its answer does not.
  between.down.block();
  await ann.write('once');
  await bob.tells('once');
  between.reset();
  between.heal();
  await ann.is('connected');
  await until(async () => (await ann.text('#log .own .delivery')) === 'Sent', 'that the server has it');
  await bob.write('and?');
  await ann.tells('once', 'and?');
  await bob.tells('once', 'and?');
});

test('what was said during an absence and is not kept is named as lost', async (t) => {
  const server = await chat(t, '--history', 1);
  const between = await network(t, server);
  const ann = await connected(t, between, 'ann');
  await says(server, 'bob', 'one');
  await ann.tells('one');
  between.cut();
  between.reset();
  await ann.is('waiting');
  await says(server, 'bob', 'two', 'three', 'four');
  between.heal();
  await ann.is('connected', 40_000);
  await ann.notes('3 messages were sent while you were away and cannot be recovered.');
  await says(server, 'bob', 'five');
  await ann.tells('one', 'five');
});
