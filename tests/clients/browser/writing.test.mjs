// What one writes in the chat page, and how it stands there.

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

const connected = (t, server, name, room, options) => ChatPage.connected(t, chromium, server, name, room, options);

/** Where the links of the log lead to, and how. */
const links = (page) => page.locator('#log a').evaluateAll((all) => all.map((it) => [it.getAttribute('href'), it.textContent, it.rel, it.target]));

test('addresses of pages are links that tell the other side nothing, and nothing else is', async (t) => {
  const server = await chat(t);
  const ann = await connected(t, server, 'ann');
  const said = [
    'see https://example.org/a_(b)?c=d&e=%20#f.',
    '(http://example.com/x), and <b>no</b> <a href="https://a.example">markup</a>',
    'javascript:alert(1) data:text/html,x ftp://example.org file:///etc/passwd //example.org www.example.org',
    'https://ann:secret@example.org/ https:// http://[1',
  ];
  for (const text of said) await ann.write(text);
  await ann.tells(...said);
  assert.deepEqual(await links(ann.page), [
    ['https://example.org/a_(b)?c=d&e=%20#f', 'https://example.org/a_(b)?c=d&e=%20#f'],
    ['http://example.com/x', 'http://example.com/x'],
    ['https://a.example', 'https://a.example'],
  ].map((it) => [...it, 'noopener noreferrer', '_blank']));
  assert.equal(await ann.page.locator('#log .bubble b').count(), 0);
});

test('an emoji is put where the cursor is, with the mouse or the keyboard', async (t) => {
  const server = await chat(t);
  const ann = await connected(t, server, 'ann');
  const { page } = ann;
  const box = page.locator('#composer-text');
  await box.fill('good morning');
  await box.evaluate((it) => it.setSelectionRange(4, 4));
  await page.locator('#emoji-toggle').click();
  await page.locator('#emoji').getByText('👍', { exact: true }).click();
  assert.equal(await box.inputValue(), 'good👍 morning');
  await page.keyboard.press('Escape');
  assert.equal(await page.locator('#emoji').isVisible(), false);
  // From the first one, to the right and down; Tab leaves.
  await page.keyboard.press('Enter');
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowDown');
  const focused = await page.evaluate(() => document.activeElement.textContent);
  await page.keyboard.press('Enter');
  assert.equal(await box.inputValue(), `good👍${focused} morning`);
  await page.keyboard.press('Tab');
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'composer-text');
  await page.keyboard.press('Enter');
  await ann.tells(`good👍${focused} morning`);
  assert.deepEqual(ann.broken, []);
});

test('names keep their direction to themselves', async (t) => {
  const server = await chat(t);
  const ann = await connected(t, server, 'ann');
  const query = new URLSearchParams({ token: 'שרה' });
  const sara = await Client.enter(server, `/ws/den?${query}`);
  sara.send({ type: 'message', channel: 'den', content: '123' });
  await ann.tells('123');
  await ann.shows('ann', 'שרה');
  const bare = await ann.page.evaluate(() => {
    const walker = document.createTreeWalker(document.getElementById('chat'), NodeFilter.SHOW_TEXT);
    const found = [];
    while (walker.nextNode()) {
      const { textContent, parentElement } = walker.currentNode;
      if (textContent.includes('שרה') && !parentElement.closest('bdi')) found.push(parentElement.outerHTML);
    }
    return found;
  });
  assert.deepEqual(bare, []);
});

test('names that look like others are refused, and those of others are spelled out', async (t) => {
  const server = await chat(t, '--leave-grace', 0.1);
  const ann = await connected(t, server, 'ann');
  for (const name of ['an\u200dn', 'ann\ufe0f', 'an\u00a0n', 'an  n', 'ann\u2800', 'ann\u3164', '😀\u200d']) {
    const query = new URLSearchParams({ token: name });
    const other = await Client.enter(server, `/ws/den?${query}`);
    const shown = [...name].map((it) => (/[a-z😀]/u.test(it) ? it : `[U+${it.codePointAt(0).toString(16).toUpperCase().padStart(4, '0')}]`)).join('');
    await ann.shows('ann', name === 'an  n' ? 'an[U+0020] n' : shown);
    await other.leave();
    await ann.shows('ann');
  }
  await ann.page.locator('#leave').click();
  for (const name of ['an\u200dn', 'ann\u2800', 'an\u00a0n', 'a\u0308nn']) {
    await ann.page.locator('#join-name').fill(name);
    await ann.page.locator('#join-form').press('Enter');
    assert.match(await ann.text('#join-name-error'), /invisible|unusual/, JSON.stringify(name));
  }
  for (const name of ['👩‍👩‍👧', '❤️', 'نام‌ها', 'क्‍ष']) {
    await ann.page.locator('#join-name').fill(name);
    await ann.page.locator('#join-form').press('Enter');
    await ann.is('connected');
    await ann.page.locator('#leave').click();
  }
});

test('a line says where another day begins, and each message when it was sent', async (t) => {
  const server = await chat(t);
  const ann = await ChatPage.blank(t, chromium, { timezoneId: 'Europe/Berlin', locale: 'en-GB' });
  await ann.page.clock.install({ time: new Date('2026-11-29T22:58:00Z') });
  await ann.visits(server, 'ann', 'den');
  await ann.is('connected');
  await ann.write('late');
  await ann.tells('late');
  await ann.page.clock.setSystemTime(new Date('2026-11-29T23:01:00Z'));
  await ann.write('early');
  await ann.tells('late', 'early');
  const log = await ann.page.locator('#log .bubble, #log .day, #log time').allInnerTexts();
  assert.deepEqual(log, ['23:58', 'late', 'Monday, November 30', '00:01', 'early']);
  assert.equal(await ann.page.locator('#log time').last().getAttribute('title'), 'Monday, November 30, 00:01');
});

test('a narrow phone has room for names of usual length', async (t) => {
  const server = await chat(t);
  const ann = await connected(t, server, 'annabelle', 'reading room', { ...PHONE, viewport: { width: 360, height: 740 } });
  for (const id of ['#room-title', '.bar-title p', '#status']) {
    const hidden = await ann.page.locator(id).evaluate((it) => it.scrollWidth - it.clientWidth);
    assert.ok(hidden <= 0, `${id} is cut by ${hidden} pixels`);
  }
  assert.equal(await ann.page.evaluate(() => document.documentElement.scrollWidth), 360);
});

test('a phone shows one’s own name, the room and the state of the connection', async (t) => {
  const server = await chat(t);
  const ann = await connected(t, server, 'ann', 'den', PHONE);
  for (const text of ['ann', 'den', 'Connected']) {
    const box = await ann.page.locator('header').getByText(text, { exact: true }).boundingBox();
    assert.ok(box && box.x >= 0 && box.x + box.width <= 390 && box.height > 0, text);
  }
  const wide = await ann.page.evaluate(() => document.documentElement.scrollWidth);
  assert.equal(wide, 390, 'nothing is wider than the screen');
});

test('who writes is named while that is so, and nothing of it is kept', async (t) => {
  const server = await chat(t);
  const ann = await connected(t, server, 'ann');
  const bob = await connected(t, server, 'bob');
  await ann.shows('ann', 'bob');
  await bob.shows('ann', 'bob');
  const typing = (words) => until(async () => (await ann.text('#typing')) === words, `the words ${JSON.stringify(words)}`);
  const box = bob.page.locator('#composer-text');
  await box.fill('h');
  await typing('bob is typing…');
  await bob.write('hello');
  await ann.tells('hello');
  await typing('');
  await box.fill('more');
  await typing('bob is typing…');
  await box.fill('');
  await typing('');
  await box.fill('more');
  await typing('bob is typing…');
  await bob.page.close();
  await typing('');
  const { history } = await server.stats();
  assert.equal(history.messages, 1);
  // That somebody whispers is told to nobody.
  const spy = await Client.as(server, 'eve', 'den');
  await ann.shows('ann', 'eve');
  await ann.page.locator('#composer-text').fill('/w eve psst');
  await ann.page.keyboard.press('Enter');
  await spy.next({ type: 'direct', content: 'psst' });
  await spy.roundTrip();
  assert.deepEqual(spy.messages.filter((it) => it.type === 'message' && it.content.typing !== undefined), []);
});
