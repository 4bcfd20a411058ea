// What the chat page says of the node that it is on, and of the others.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { chat } from '../node/server.mjs';
import { until } from '../node/wait.mjs';
import { ChatPage, browser } from './pages.mjs';

let chromium;
before(async () => {
  chromium = await browser();
});
after(() => chromium?.close());

test('a node that is alone says so', async (t) => {
  const server = await chat(t);
  const ann = await ChatPage.connected(t, chromium, server, 'ann');
  await until(async () => (await ann.text('#fig-node')) === 'alone', 'the node');
  assert.equal(await ann.page.locator('#fig-nodes').isVisible(), false);
});

test('a node of a cluster has its name, how many there are, and whether it has lost them', async (t) => {
  const server = await chat(t);
  const ann = await ChatPage.blank(t, chromium);
  let cluster = { node: 'red', up: true, since_s: 12, nodes: 3, connections: 4, users: 4, rooms: 1 };
  await ann.page.route('**/stats.json', async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, json: { ...(await response.json()), cluster } });
  });
  await ann.visits(server, 'ann', 'den');
  await until(async () => (await ann.text('#fig-nodes')) === '3 nodes', 'the nodes');
  assert.equal(await ann.text('#fig-node'), 'red');
  cluster = { ...cluster, up: false, since_s: 65 };
  await until(async () => (await ann.text('#fig-nodes')) === 'cut off for 1 min 5 s', 'that it is cut off');
  assert.equal(await ann.text('#server-badge'), 'cut off');
  cluster = null;
  await until(async () => (await ann.text('#fig-node')) === 'alone', 'that it is alone');
  assert.deepEqual(ann.broken, []);
});

test('a cluster that falls apart is named in the log, and a room that goes on anew is not a reconnect', async (t) => {
  const server = await chat(t);
  const ann = await ChatPage.blank(t, chromium);
  let socket;
  await ann.page.routeWebSocket(/\/ws/, (route) => {
    socket = route;
    const toServer = route.connectToServer();
    toServer.onMessage((message) => route.send(message));
  });
  await ann.visits(server, 'ann', 'den');
  await ann.is('connected');
  await ann.shows('ann');
  const tells = (message) => socket.send(JSON.stringify(message));
  tells({ type: 'cluster', up: false });
  await ann.notes('This server has lost the others');
  tells({ type: 'subscribed', channel: 'den', epoch: 'local', seq: 0, first: 1 });
  await ann.notes('The room was started anew: what may have been said meanwhile cannot be recovered.');
  tells({ type: 'message', channel: 'den', content: 'here', sender: 'bob', seq: 1 });
  await ann.tells('here');
  tells({ type: 'cluster', up: true });
  await ann.notes('This server has found the others again.');
  assert.equal(await ann.page.locator('#log .notice', { hasText: 'Connected again' }).count(), 0);
  await ann.shows('ann');
  assert.deepEqual(ann.broken, []);
});
