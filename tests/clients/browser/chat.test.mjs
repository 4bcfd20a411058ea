// The chat page in a real browser, against a running chat.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import WebSocket from 'ws';
import { again, chat } from '../node/server.mjs';
import { timePasses, until } from '../node/wait.mjs';
import { ChatPage, browser, device } from './pages.mjs';

let chromium;
before(async () => {
  chromium = await browser();
});
after(() => chromium?.close());

const open = (t, server, name, room) => ChatPage.open(t, chromium, server, name, room);
const connected = (t, server, name, room) => ChatPage.connected(t, chromium, server, name, room);

function withResolvers() {
  let resolve;
  const promise = new Promise((it) => (resolve = it));
  return { promise, resolve };
}

test('two pages talk, whisper, and see who is there', async (t) => {
  const server = await chat(t);
  const ann = await connected(t, server, 'ann');
  const bob = await connected(t, server, 'bob');
  await ann.shows('ann', 'bob');
  await bob.shows('ann', 'bob');
  await ann.write('good <b>morning</b>');
  await bob.hears('ann', 'good <b>morning</b>');
  assert.equal(await bob.page.locator('#log b', { hasText: 'morning' }).count(), 0, 'text is text only');
  await bob.write('/w ann psst');
  await ann.hears('bob', 'psst');
  await bob.page.close();
  await ann.shows('ann');
  assert.deepEqual([...ann.broken, ...bob.broken], []);
});

test('who finds the room full reads so and does not come back by itself', async (t) => {
  const server = await chat(t, '--max-per-room', 1);
  await connected(t, server, 'ann');
  const bob = await open(t, server, 'bob');
  await bob.says('Lobby full');
  await bob.is('stopped');
  assert.match(await bob.text('#banner-text'), /Every seat in the room “den” is taken/);
  assert.equal(bob.sockets, 1);
});

test('a server that is killed and comes back finds its pages again', async (t) => {
  const server = await chat(t);
  const ann = await connected(t, server, 'ann');
  const bob = await connected(t, server, 'bob');
  server.kill();
  await server.exited;
  await ann.is('waiting');
  await bob.is('waiting');
  assert.match(await ann.text('#banner'), /cannot be reached|was lost/);
  await again(t, server);
  await ann.is('connected', 40_000);
  await bob.is('connected', 40_000);
  await ann.shows('ann', 'bob');
  await bob.write('still here');
  await ann.hears('bob', 'still here');
  assert.deepEqual([...ann.broken, ...bob.broken], []);
});

test('a health check sent before the server was gone says nothing of it afterwards', async (t) => {
  const server = await chat(t);
  const ann = await connected(t, server, 'ann');
  // One answer is held back until the server is gone and the page has failed to reconnect.
  const held = withResolvers();
  const sent = withResolvers();
  let failed = 0;
  await ann.page.route('**/stats.json', async (route) => {
    try {
      const response = await route.fetch();
      sent.resolve();
      await held.promise;
      await route.fulfill({ response });
    } catch {
      failed += 1;
      await route.abort();
    }
  });
  await ann.recordsTitles();
  await sent.promise;
  server.kill();
  await server.exited;
  const dialed = ann.sockets;
  await until(() => ann.sockets > dialed, 'an attempt to reconnect');
  await ann.is('waiting');
  held.resolve();
  await until(() => failed > 0, 'a health check that was sent after that');
  await ann.says('The server cannot be reached');
  assert.deepEqual((await ann.titles()).filter((it) => /did not let/.test(it)), []);
  assert.deepEqual(ann.broken, []);
});

test('a page that is offline waits for its network, and comes back with it at once', async (t) => {
  const server = await chat(t);
  const ann = await connected(t, server, 'ann');
  await ann.context.setOffline(true);
  server.kill();
  await server.exited;
  await ann.is('waiting');
  await again(t, server);
  const tried = ann.sockets;
  await until(async () => /offline/.test(await ann.text('body')), 'word of being offline');
  // Time is the subject: a page that knows it is offline does not try every second.
  await timePasses(2_000);
  assert.ok(ann.sockets <= tried + 1, `${ann.sockets - tried} attempts while offline`);
  await ann.is('waiting');
  await ann.context.setOffline(false);
  await ann.is('connected', 5_000);
  assert.deepEqual(ann.broken, []);
});

test('a device that slept while its server was replaced finds the new one when it wakes', async (t) => {
  const server = await chat(t, '--ping-interval', 0.5, '--ping-timeout', 0.5);
  const { browser, sleeps, wakes } = await device(t);
  const ann = await ChatPage.connected(t, browser, server, 'ann');
  sleeps();
  await server.reaches({ total_connections: 0, closes: { heartbeat_timeout: 1 } });
  server.kill();
  await server.exited;
  const next = await again(t, server);
  // It sleeps: nothing of it runs.
  await timePasses(1_500);
  assert.equal((await next.stats()).total_connections, 0);
  wakes();
  await ann.is('connected');
  await next.reaches({ total_connections: 1 });
  await ann.write('awake');
  await ann.hears('You', 'awake');
  assert.deepEqual(ann.broken, []);
});

test('a hidden tab hears what is said, and counts it in its title', async (t) => {
  const server = await chat(t);
  const ann = await connected(t, server, 'ann');
  const bob = await connected(t, server, 'bob');
  await ann.page.evaluate(() => {
    Object.defineProperty(document, 'visibilityState', { value: 'hidden', configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
  });
  await bob.write('one');
  await bob.write('two');
  await until(async () => (await ann.page.title()).startsWith('(2)'), 'two unread messages');
  await ann.page.evaluate(() => {
    delete document.visibilityState;
    document.dispatchEvent(new Event('visibilitychange'));
  });
  await until(async () => !(await ann.page.title()).startsWith('('), 'none unread');
  assert.equal(ann.sockets, 1);
});

test('a drained server tells its pages, and the next one has them all', async (t) => {
  const server = await chat(t, '--drain-window', 1);
  const pages = [await connected(t, server, 'ann'), await connected(t, server, 'bob')];
  server.signal('SIGTERM');
  for (const page of pages) await page.notes('The server is restarting.');
  assert.deepEqual(await server.exited, { code: 0, signal: null });
  const next = await again(t, server);
  for (const page of pages) await page.is('connected', 40_000);
  await next.reaches({ total_connections: 2, users: 2 });
});

test('a second login replaces the first tab, which says so and stays away until it is asked', async (t) => {
  const server = await chat(t);
  const first = await connected(t, server, 'ann');
  const second = await connected(t, server, 'ann');
  await first.says('You signed in somewhere else');
  await first.is('stopped');
  // Time is the subject: longer than the longest first wait before coming back.
  await timePasses(1_500);
  assert.equal(first.sockets, 1);
  await second.is('connected');
  await server.reaches({ total_connections: 1, users: 1, closes: { replaced: 1 } });
  await first.page.locator('#banner-reconnect').click();
  await first.is('connected');
  await second.says('You signed in somewhere else');
});

test('who is kicked is told so and stays away', async (t) => {
  const server = await chat(t, '--debug-endpoints');
  const ann = await connected(t, server, 'ann');
  await server.request('POST', '/debug/kick?user=ann');
  await ann.says('You were disconnected');
  await ann.is('stopped');
  await server.reaches({ total_connections: 0, closes: { kicked: 1 } });
  assert.equal(ann.sockets, 1);
});

test('messages that arrive together share one layout, and the newest is in view', async (t) => {
  const server = await chat(t, '--rate', 0);
  const ann = await connected(t, server, 'ann');
  const bob = await connected(t, server, 'bob');
  // While no frame is drawn, nothing may ask where things are: each such question is a layout.
  await ann.page.evaluate(() => {
    const frame = window.requestAnimationFrame.bind(window);
    const waiting = [];
    const asked = [];
    const of = Object.getOwnPropertyDescriptor(Element.prototype, 'scrollHeight');
    Object.defineProperty(Element.prototype, 'scrollHeight', {
      configurable: true,
      get() { asked.push('scrollHeight'); return of.get.call(this); },
    });
    const style = window.getComputedStyle.bind(window);
    window.getComputedStyle = (...what) => { asked.push('getComputedStyle'); return style(...what); };
    window.requestAnimationFrame = (callback) => waiting.push(callback);
    window.drawn = { asked, release: () => { window.requestAnimationFrame = frame; waiting.splice(0).forEach((it) => frame(it)); } };
  });
  for (let n = 1; n <= 60; n += 1) await bob.write(`line ${n}`);
  await ann.hears('bob', 'line 60');
  assert.deepEqual(await ann.page.evaluate(() => window.drawn.asked), []);
  await ann.page.evaluate(() => window.drawn.release());
  await until(() => ann.atBottom(), 'the log at its newest entry');
  assert.deepEqual(ann.broken, []);
});

test('a draft does not follow its author into another room', async (t) => {
  const server = await chat(t);
  const ann = await connected(t, server, 'ann');
  await ann.page.locator('#composer-text').fill('only for the den');
  await ann.page.locator('#leave').click();
  await ann.page.locator('#join-room').fill('hall');
  await ann.page.locator('#join-form').press('Enter');
  await ann.is('connected');
  assert.equal(await ann.page.locator('#composer-text').inputValue(), '');
});

test('a name with invisible characters or direction marks does not pass for another', async (t) => {
  const server = await chat(t);
  const ann = await connected(t, server, 'ann');
  const query = new URLSearchParams({ token: '\u202enna\u200b' });
  const other = new WebSocket(`ws://${server.host}/ws/den?${query}`);
  t.after(() => other.close());
  await ann.shows('ann', '[U+202E]nna[U+200B]');
  await ann.page.locator('#leave').click();
  await ann.page.locator('#join-name').fill('an\u200bn');
  await ann.page.locator('#join-form').press('Enter');
  assert.match(await ann.text('#join-name-error'), /invisible character/);
});
