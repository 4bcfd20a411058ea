// What a busy room costs a chat page that is full: counted, not timed.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Client } from '../node/client.mjs';
import { chat } from '../node/server.mjs';
import { until } from '../node/wait.mjs';
import { paced } from './paced.mjs';
import { ChatPage, browser } from './pages.mjs';
import { traced } from './trace.mjs';

let chromium;
before(async () => {
  chromium = await browser();
});
after(() => chromium?.close());

/** The page that the chat shows at most this many entries of. */
const ENTRIES = 500;
const BURSTS = 10;
const BURST = 60;

/** A page with as many entries as it shows, and bob, who says more. */
async function full(t) {
  const server = await chat(t, '--rate', 0, '--history', 0);
  const ann = await ChatPage.connected(t, chromium, server, 'ann');
  const { page } = ann;
  const bob = await Client.as(server, 'bob', 'den');
  let said = 0;
  const say = () => bob.send({ type: 'message', channel: 'den', content: `message ${(said += 1)}` });
  const shown = () => until(async () => (await page.locator('#log .bubble').last().innerText()) === `message ${said}`, `message ${said}`);
  const says = (count) => {
    for (let n = 0; n < count; n += 1) say();
    return shown();
  };
  await says(ENTRIES + BURST);
  assert.equal(await page.locator('#log .entries > *').count(), ENTRIES);
  return { ann, page, say, says, shown };
}

test('with 500 entries on the screen, a burst has few layouts, and nothing but what is new is styled', async (t) => {
  const { ann, page, says } = await full(t);
  const devtools = await ann.context.newCDPSession(page);
  await devtools.send('Performance.enable');
  const layouts = async () => (await devtools.send('Performance.getMetrics')).metrics.find(({ name }) => name === 'LayoutCount').value;
  const earlier = await layouts();
  await chromium.startTracing(page, { categories: ['devtools.timeline'] });
  for (let burst = 0; burst < BURSTS; burst += 1) await says(BURST);
  const { traceEvents } = JSON.parse((await chromium.stopTracing()).toString());
  const count = (await layouts()) - earlier;
  assert.ok(count < (BURSTS * BURST) / 4, `${count} layouts for ${BURSTS * BURST} messages`);
  const styled = traceEvents.filter(({ name, ph }) => name === 'UpdateLayoutTree' && ph === 'X').map(({ args }) => args.elementCount);
  assert.ok(styled.length > 0, 'something is styled');
  // An entry has some eight elements; all of the log have more than three thousand.
  assert.ok(Math.max(...styled) < BURST * 20, `${Math.max(...styled)} elements are styled at once`);
  assert.equal(await page.locator('#log .entries > *').count(), ENTRIES);
  await until(() => ann.atBottom(), 'the log at its newest entry');
  assert.deepEqual(ann.broken, []);
});

test('with 500 entries on the screen and 60 messages a second, a frame has one layout, and a message none', async (t) => {
  const { ann, page, say, shown } = await full(t);
  const trace = await traced(chromium, page, async () => {
    await paced(60, 5, say);
    await shown();
  });
  const layouts = trace.named('Layout');
  const frames = trace.named('FireAnimationFrame');
  assert.ok(trace.handlers.length > 100, `${trace.handlers.length} handlers of messages`);
  assert.deepEqual(trace.within(layouts, trace.handlers), [], 'no handler of a message lays out');
  assert.ok(trace.within(layouts, frames).length > 0, 'a frame lays out');
  const busy = frames.filter((frame) => trace.within(layouts, [frame]).length > 1);
  assert.deepEqual(busy, [], 'no frame lays out twice');
  // The statistics, which are not drawn in frames of their own, are the rest: one layout every two seconds.
  assert.ok(layouts.length <= frames.length + 20, `${layouts.length} layouts in ${frames.length} frames`);
  assert.deepEqual(ann.broken, []);
});
