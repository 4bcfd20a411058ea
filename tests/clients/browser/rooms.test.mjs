// Several rooms in one chat page.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Client } from '../node/client.mjs';
import { chat } from '../node/server.mjs';
import { until } from '../node/wait.mjs';
import { ChatPage, PHONE, browser } from './pages.mjs';

let chromium;
before(async () => {
  chromium = await browser();
});
after(() => chromium?.close());

const connected = (t, server, name, room) => ChatPage.connected(t, chromium, server, name, room);

test('rooms share one connection, and what comes in the others is counted', async (t) => {
  const server = await chat(t);
  const ann = await connected(t, server, 'ann', 'den');
  await ann.goes('hall');
  await server.reaches({ total_connections: 1, active_rooms: 2 });
  const bob = await Client.as(server, 'bob', 'den');
  for (const content of ['one', 'two', 'three']) bob.send({ type: 'message', channel: 'den', content });
  const count = ann.page.locator('#rooms-list .room', { hasText: 'den' }).locator('.count');
  await until(async () => (await count.innerText()) === '3', 'three unread messages in the list');
  await until(async () => (await ann.page.title()).startsWith('(3)'), 'three unread messages in the title');
  await ann.tells();
  await ann.goes('den');
  await ann.tells('one', 'two', 'three');
  assert.equal(await ann.page.locator('#log .divider').count(), 1);
  await until(async () => !(await count.isVisible()), 'none unread');
  assert.equal(ann.sockets, 1);
  assert.deepEqual(ann.broken, []);
});

for (const [device, options] of [['a wide screen', {}], ['a tablet', { viewport: { width: 1000, height: 700 } }], ['a phone', PHONE]]) {
  test(`among many rooms, the one on the screen is in view in the list of ${device}`, async (t) => {
    const server = await chat(t);
    const ann = await ChatPage.connected(t, chromium, server, 'ann', 'first', options);
    const list = async () => { if (device === 'a phone') await ann.page.locator('.views [data-view=rooms]').click(); };
    const isInView = (selector) => ann.page.locator(selector).evaluate((it) => {
      const [of, panel] = [it, it.closest('#rooms')].map((one) => one.getBoundingClientRect());
      return of.height > 0 && of.top >= panel.top && of.bottom <= panel.bottom;
    });
    const areInView = async () => {
      await list();
      const all = ['#rooms-heading', '#rooms-new', '.room.current'];
      await until(async () => (await Promise.all(all.map(isInView))).every(Boolean), `${all} in view`);
    };
    for (const letter of 'abcdefghijklmn') {
      await list();
      await ann.goes(`room ${letter}`);
    }
    await areInView();
    await ann.goes('first');
    await areInView();
    await ann.page.goBack();
    await ann.isIn('room n');
    await areInView();
    assert.deepEqual(ann.broken, []);
  });
}

test('each room has its people', async (t) => {
  const server = await chat(t);
  const ann = await connected(t, server, 'ann', 'den');
  await Client.as(server, 'bob', 'hall');
  await ann.shows('ann');
  await ann.goes('hall');
  await ann.shows('ann', 'bob');
  await ann.goes('den');
  await ann.shows('ann');
});

test('Back and Forward lead through the rooms to the first screen and back', async (t) => {
  const server = await chat(t);
  const ann = await ChatPage.blank(t, chromium);
  await ann.joins(server, 'ann', 'den');
  await ann.is('connected');
  await ann.goes('hall');
  await ann.goes('attic');
  await ann.page.goBack();
  await ann.isIn('hall');
  await ann.page.goBack();
  await ann.isIn('den');
  await ann.page.goForward();
  await ann.isIn('hall');
  assert.equal(new URL(ann.page.url()).searchParams.get('room'), 'hall');
  await ann.page.goBack();
  await ann.isIn('den');
  await ann.page.goBack();
  await ann.page.locator('#join').waitFor();
  await server.reaches({ total_connections: 0 });
  await ann.page.goForward();
  await ann.isIn('den');
  await ann.is('connected');
  await server.reaches({ total_connections: 1, users: 1 });
  assert.deepEqual(ann.broken, []);
});

test('a draft waits in the room in which it was begun', async (t) => {
  const server = await chat(t);
  const ann = await connected(t, server, 'ann', 'den');
  const box = ann.page.locator('#composer-text');
  await box.fill('for the den');
  await ann.goes('hall');
  assert.equal(await box.inputValue(), '');
  await box.fill('for the hall');
  await ann.goes('den');
  assert.equal(await box.inputValue(), 'for the den');
  await ann.page.keyboard.press('Enter');
  await ann.tells('for the den');
  await ann.goes('hall');
  assert.equal(await box.inputValue(), 'for the hall');
  await ann.page.reload();
  await ann.is('connected');
  assert.equal(await box.inputValue(), 'for the hall');
  await ann.goes('den');
  assert.equal(await box.inputValue(), '');
});

test('a reload comes back to all rooms, and shows the same one', async (t) => {
  const server = await chat(t);
  const ann = await ChatPage.blank(t, chromium);
  await ann.joins(server, 'ann', 'den');
  await ann.is('connected');
  await ann.goes('hall');
  await ann.goes('den');
  await ann.page.reload();
  await ann.isIn('den');
  await ann.is('connected');
  await server.reaches({ total_connections: 1, active_rooms: 2 });
  const names = await ann.page.locator('#rooms-list .room-text').allInnerTexts();
  assert.deepEqual(names.sort(), ['den', 'hall']);
});

test('a room that is full says so, and the others go on', async (t) => {
  const server = await chat(t, '--max-per-room', 1);
  const bob = await Client.as(server, 'bob', 'hall');
  const ann = await connected(t, server, 'ann', 'den');
  await ann.goes('hall');
  await ann.says('Lobby full');
  await ann.is('stopped');
  await ann.write('anybody?');
  assert.match(await ann.text('#composer-note'), /not in this room/);
  await ann.goes('den');
  await ann.is('connected');
  await ann.write('still here');
  await until(async () => (await ann.text('#log .own .delivery')) === 'Sent', 'that the server has it');
  await bob.leave();
  await ann.goes('hall');
  await ann.page.locator('#banner-reconnect').click();
  await ann.is('connected');
  await ann.shows('ann');
  assert.equal(ann.sockets, 1);
});

test('a room that is left tells nothing more', async (t) => {
  const server = await chat(t);
  const ann = await connected(t, server, 'ann', 'den');
  await ann.goes('hall');
  await ann.page.locator('#rooms-list .room', { hasText: 'hall' }).getByRole('button', { name: /^Leave/ }).click();
  await ann.isIn('den');
  await server.reaches({ total_connections: 1, active_rooms: 1 });
  assert.deepEqual(await ann.page.locator('#rooms-list .room-text').allInnerTexts(), ['den']);
  assert.deepEqual(ann.broken, []);
});
