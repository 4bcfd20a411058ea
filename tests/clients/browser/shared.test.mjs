// Several tabs of one user in one browser, which share a connection.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Client } from '../node/client.mjs';
import { chat } from '../node/server.mjs';
import { until } from '../node/wait.mjs';
import { ChatPage, browser } from './pages.mjs';

let chromium;
before(async () => {
  chromium = await browser();
});
after(() => chromium?.close());

/** Two tabs of ann; the first one leads. */
async function tabs(t, server) {
  const first = await ChatPage.connected(t, chromium, server, 'ann');
  const second = await first.another();
  await second.visits(server, 'ann', 'den');
  await second.is('connected');
  return [first, second];
}

test('two tabs of one user share one connection, and each sees all', async (t) => {
  const server = await chat(t);
  const [first, second] = await tabs(t, server);
  assert.deepEqual([first.sockets, second.sockets], [1, 0]);
  await server.reaches({ total_connections: 1, users: 1 });
  const bob = await Client.as(server, 'bob', 'den');
  bob.send({ type: 'message', channel: 'den', content: 'hello' });
  for (const tab of [first, second]) await tab.tells('hello');
  await second.write('from the second');
  await bob.next({ type: 'message', content: 'from the second', sender: 'ann' });
  for (const tab of [first, second]) await tab.tells('hello', 'from the second');
  bob.send({ type: 'direct', to: 'ann', content: 'psst' });
  for (const tab of [first, second]) await tab.hears('bob', 'psst');
  for (const tab of [first, second]) await tab.shows('ann', 'bob');
  assert.deepEqual((await server.stats()).closes, {});
  assert.deepEqual([...first.broken, ...second.broken], []);
});

test('each tab has the rooms that it wants', async (t) => {
  const server = await chat(t);
  const [first, second] = await tabs(t, server);
  await second.goes('hall');
  const bob = await Client.as(server, 'bob', 'hall');
  bob.send({ type: 'message', channel: 'hall', content: 'in the hall' });
  await second.tells('in the hall');
  assert.deepEqual(await first.page.locator('#rooms-list .room-text').allInnerTexts(), ['den']);
  await first.page.locator('#leave').click();
  bob.send({ type: 'message', channel: 'hall', content: 'still' });
  await second.tells('in the hall', 'still');
  await server.reaches({ total_connections: 2, users: 2 });
});

for (const [end, ends] of Object.entries({
  'is closed': (tab) => tab.page.close(),
  crashes: (tab) => tab.page.goto('chrome://crash').catch(() => {}),
  'goes elsewhere': (tab) => tab.page.goto('about:blank'),
})) {
  test(`the tab that leads ${end}: the other goes on, with each message once`, async (t) => {
    const server = await chat(t);
    const [first, second] = await tabs(t, server);
    const bob = await Client.as(server, 'bob', 'den');
    const said = [];
    const says = async () => {
      const content = `message ${said.length}`;
      said.push(content);
      bob.send({ type: 'message', channel: 'den', content, id: said.length });
      await bob.next({ type: 'ack', id: said.length });
    };
    for (let n = 0; n < 5; n += 1) await says();
    await second.tells(...said);
    // More is said meanwhile, though no more than the server keeps.
    const meanwhile = (async () => {
      for (let n = 0; n < 40; n += 1) await says();
    })();
    await ends(first);
    await meanwhile;
    await until(() => second.sockets === 1, 'a connection of the other tab', 30_000);
    await second.is('connected');
    await says();
    await second.tells(...said);
    await second.write('my turn');
    await bob.next({ type: 'message', content: 'my turn', sender: 'ann' });
    await server.reaches({ total_connections: 2, users: 2 });
    assert.deepEqual(second.broken, []);
  });
}
