// Whether everybody can use the chat page: axe finds nothing in any of its states.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { Client } from '../node/client.mjs';
import { network } from '../node/network.mjs';
import { chat } from '../node/server.mjs';
import { until } from '../node/wait.mjs';
import { ChatPage, PHONE, browser } from './pages.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
/** Where the states are kept as pictures, if anywhere. */
const { SWITCHBOARD_SCREENSHOTS } = process.env;

let chromium;
before(async () => {
  chromium = await browser();
});
after(() => chromium?.close());

/** The kinds of screens on which each state is looked at. */
const SCREENS = {
  'desktop, light': { viewport: { width: 1280, height: 800 }, colorScheme: 'light' },
  'desktop, dark': { viewport: { width: 1280, height: 800 }, colorScheme: 'dark' },
  'phone, light': { ...PHONE, colorScheme: 'light' },
  'phone, dark': { ...PHONE, colorScheme: 'dark' },
};

/** Fails where axe finds anything against the present state of the page. */
async function looked(it, screen, state) {
  const { page } = it;
  // What moves is between two states.
  await page.evaluate(() => Promise.all(document.getAnimations().filter((one) => one.effect.getTiming().iterations !== Infinity).map((one) => one.finished.catch(() => {}))));
  if (SWITCHBOARD_SCREENSHOTS) await page.screenshot({ path: `${SWITCHBOARD_SCREENSHOTS}/${screen.replace(', ', '-')}-${state.replaceAll(' ', '-')}.png` });
  if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(AXE);
  const { violations, passes } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
  assert.ok(passes.length > 10, 'axe looked');
  const found = violations.flatMap(({ id, nodes }) => nodes.map(({ html, any }) => `${id}: ${html} ${any[0]?.message ?? ''}`));
  assert.deepEqual(found, [], `${screen}, ${state}`);
}

for (const [screen, options] of Object.entries(SCREENS)) {
  const isPhone = options.isMobile === true;

  test(`axe finds nothing against the chat page: ${screen}`, async (t) => {
    const server = await chat(t, '--max-per-room', 5, '--debug-endpoints');
    const between = await network(t, server);
    const bob = await Client.as(server, 'bob', 'den');
    const says = (content, more) => bob.send({ type: 'message', channel: 'den', content, ...more });
    says('Good morning, see https://example.org/wiki/Switch_(board).');
    says({ some: 'data', for: ['a', 'program'] });
    await bob.roundTrip();

    const ann = await ChatPage.blank(t, chromium, options);
    const { page } = ann;
    const state = (name) => looked(ann, screen, name);
    const view = async (name) => { if (isPhone) await page.locator(`[data-view="${name}"]`).click(); };
    await page.goto(`http://${between.host}/`);
    await until(async () => /in use/.test(await ann.text('#join-server')), 'the server’s word');
    await state('join');
    await page.locator('#join-form').press('Enter');
    await page.locator('#join-name').fill('an\u200bn');
    await page.locator('#join-advanced summary').click();
    await page.locator('#join-form').getByRole('button', { name: 'Join the room' }).click();
    await state('join with errors');

    await ann.joins(between, 'ann', 'den');
    await ann.is('connected');
    await ann.write('hello');
    await until(async () => (await ann.text('#log .own .delivery')) === 'Sent', 'an answer');
    bob.send({ type: 'direct', to: 'ann', content: 'psst' });
    await ann.hears('bob', 'psst');
    says({ typing: true }, { volatile: true });
    await until(async () => /typing/.test(await ann.text('#typing')), 'who types');
    await state('talk');
    await page.getByRole('button', { name: 'Reply' }).click();
    await state('whisper');
    await page.locator('#whisper-end').click();
    await page.locator('#emoji-toggle').click();
    await state('emoji');
    await page.keyboard.press('Escape');

    await view('rooms');
    await ann.goes('hall');
    says('are you there?');
    await until(async () => (await page.title()).startsWith('(1)'), 'an unread message');
    await state('an empty room');
    await view('rooms');
    await state('rooms');
    await view('people');
    await state('people');
    await view('server');
    await state('server');
    await view('rooms');
    await ann.goes('den');
    await state('new messages');

    between.cut();
    between.reset();
    await ann.is('waiting');
    await page.locator('#banner').waitFor();
    await state('waiting');
    between.heal();
    await ann.is('connected', 40_000);
    await state('connected again');
    await server.request('POST', '/debug/kick?user=ann');
    await ann.says('You were disconnected');
    await state('stopped');
    assert.deepEqual(ann.broken, []);
  });
}
