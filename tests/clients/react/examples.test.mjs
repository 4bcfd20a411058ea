// The examples with React in Chromium: built by Vite and by Next, with the client as it is packed.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { browser } from '../browser/pages.mjs';
import { Client } from '../node/client.mjs';
import { run, Window } from './app.mjs';

let chromium;
before(async () => {
  chromium = await browser();
});
after(() => chromium?.close());

test('Vite: two people see each other, and what each says', async (t) => {
  const { origin, server } = await run(t, 'vite');
  const ann = await Window.open(t, chromium, origin, 'ann');
  await ann.shows('[role=status]', 'connected');
  await ann.says('hello');
  await ann.lists('ann hello');
  const bob = await Window.open(t, chromium, origin, 'bob');
  // He begins with what the server keeps.
  await bob.lists('ann hello');
  await bob.says('hi');
  for (const window of [ann, bob]) {
    await window.lists('ann hello', 'bob hi');
    await window.shows('main p', 'ann, bob here');
  }
  await ann.picture('vite');
  await server.reaches({ total_connections: 2, users: 2 });
  assert.deepEqual([...ann.broken, ...bob.broken], []);
});

test('Vite: another room has messages of its own, and the former one is left', async (t) => {
  const { origin, server } = await run(t, 'vite');
  const ann = await Window.open(t, chromium, origin, 'ann');
  await ann.says('in the hall');
  await ann.lists('ann in the hall');
  await ann.page.locator('nav button', { hasText: 'garden' }).click();
  await ann.shows('h1', 'garden');
  await ann.says('in the garden');
  await ann.lists('ann in the garden');
  await server.reaches({ total_connections: 1, active_rooms: 1 });
  assert.deepEqual(ann.broken, []);
});

test('Vite: another user has another connection, and nothing of the former one', async (t) => {
  const { origin, server } = await run(t, 'vite');
  const bob = await Client.as(server, 'bob', 'hall');
  const window = await Window.open(t, chromium, origin, 'ann');
  await window.shows('main p', 'bob, ann here');
  await window.page.locator('button', { hasText: 'Sign out' }).click();
  await server.reaches({ total_connections: 1 });
  await window.signsIn('zoe');
  await window.shows('main p', 'bob, zoe here');
  await window.says('it is me');
  await bob.next({ type: 'message', sender: 'zoe' });
  assert.deepEqual(window.broken, []);
});

test('Vite: a lost connection is shown, and comes back with what was said meanwhile', async (t) => {
  const { origin, server } = await run(t, 'vite');
  const bob = await Client.as(server, 'bob', 'hall');
  const ann = await Window.open(t, chromium, origin, 'ann');
  await ann.shows('main p', 'bob, ann here');
  await ann.context.setOffline(true);
  server.signal('SIGSTOP');
  await ann.shows('[role=status]', 'Connect now');
  await ann.picture('vite-lost');
  server.signal('SIGCONT');
  bob.send({ type: 'message', channel: 'hall', content: { text: 'meanwhile' }, id: 1 });
  await bob.next({ type: 'ack', id: 1 });
  await ann.context.setOffline(false);
  await ann.shows('[role=status]', 'connected');
  await ann.lists('bob meanwhile');
});

test('Next: the server renders the page for whoever is signed in, without a connection', async (t) => {
  const { origin, server } = await run(t, 'next');
  const anonymous = await (await fetch(origin)).text();
  assert.match(anonymous, /Your name/);
  const page = await (await fetch(origin, { headers: { cookie: 'user=ann' } })).text();
  assert.match(page, /<b>ann<\/b>/);
  assert.match(page, /<span role="status">idle<\/span>/);
  assert.match(page, /Each subscriber had a jack/);
  assert.equal((await server.stats()).total_connections, 0);
  const token = await fetch(`${origin}/token`, { headers: { cookie: 'user=ann' } });
  assert.deepEqual([await token.text(), (await fetch(`${origin}/token`)).status], ['ann', 401]);
});

test('Next: the rendered page comes to life, with one connection, and ends it with the session', async (t) => {
  const { origin, server } = await run(t, 'next');
  const bob = await Client.as(server, 'bob', 'article');
  bob.send({ type: 'message', channel: 'article', content: { text: 'first!' }, id: 1 });
  await bob.next({ type: 'ack', id: 1 });
  const ann = await Window.open(t, chromium, origin, 'ann');
  await ann.shows('[role=status]', 'read by bob, ann');
  await ann.lists('bob first!');
  await ann.says('well put');
  await ann.lists('bob first!', 'ann well put');
  await bob.next({ type: 'message', sender: 'ann' });
  await ann.picture('next');
  // Rendered by the server this time, and taken over by the browser.
  await ann.page.reload();
  await ann.shows('[role=status]', 'read by bob, ann');
  await ann.lists('bob first!', 'ann well put');
  await server.reaches({ total_connections: 2, users: 2 });
  await ann.page.locator('button', { hasText: 'Sign out' }).click();
  await ann.shows('label', 'Your name');
  await server.reaches({ total_connections: 1, users: 1 });
  assert.deepEqual(ann.broken, []);
});
