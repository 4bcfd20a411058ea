// What a page has left of what has ended, in Chromium: objects in the heap after a garbage collection, listeners and
// nodes, counted; and what the server has.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ChatPage, browser } from '../browser/pages.mjs';
import { chat } from '../node/server.mjs';
import { until } from '../node/wait.mjs';

let chromium;
before(async () => {
  chromium = await browser();
});
after(() => chromium?.close());

const KINDS = ['Object', 'Function', 'Promise', 'Map', 'Set', 'AbortController', 'WebSocket'];

/** A page with a client, and what its heap holds. */
async function opened(t, server) {
  const { page, context } = await ChatPage.blank(t, chromium);
  // A page without a policy, of the same origin.
  await page.goto(`http://${server.host}/healthz`);
  await page.evaluate(() => import('/switchboard.js').then((client) => Object.assign(window, client)));
  const devtools = await context.newCDPSession(page);
  async function countKind(kind) {
    const { result: prototype } = await devtools.send('Runtime.evaluate', { expression: `${kind}.prototype`, objectGroup: 'counted' });
    const { objects } = await devtools.send('Runtime.queryObjects', { prototypeObjectId: prototype.objectId, objectGroup: 'counted' });
    const { result } = await devtools.send('Runtime.callFunctionOn', { objectId: objects.objectId, functionDeclaration: 'function () { return this.length; }' });
    await devtools.send('Runtime.releaseObjectGroup', { objectGroup: 'counted' });
    return result.value;
  }
  async function count() {
    await devtools.send('HeapProfiler.collectGarbage');
    const { jsEventListeners, nodes } = await devtools.send('Memory.getDOMCounters');
    const counted = { jsEventListeners, nodes };
    for (const kind of KINDS) counted[kind] = await countKind(kind);
    return counted;
  }
  return { page, count };
}

const EXACT = ['jsEventListeners', 'nodes', 'WebSocket'];

/** Lets the page do something so many times, and fails where a tenth of these leave something. `connections`: those that last. */
async function leavesNothing({ page, count }, server, connections, times, once) {
  async function settled() {
    await server.reaches({ total_connections: connections, closing: 0 });
    let counted = {};
    // A socket that the server has closed is closed for the page a little later.
    await until(async () => {
      const before = counted;
      counted = await count();
      return EXACT.every((what) => counted[what] === before[what]);
    }, 'the page to come to rest');
    return counted;
  }
  await page.evaluate(once, [100]);
  const earlier = await settled();
  await page.evaluate(once, [times]);
  const later = await settled();
  const grown = Object.entries(later).filter(([what, n]) => n - earlier[what] > times / 10);
  assert.deepEqual(grown, [], `before: ${JSON.stringify(earlier)}`);
  for (const what of EXACT) assert.equal(later[what], earlier[what], what);
}

test('of 1000 subscriptions and 5000 requests nothing is left, in the page and at the server', async (t) => {
  const server = await chat(t, '--rate', 0, '--max-per-room', 20);
  const ann = await opened(t, server);
  await ann.page.evaluate(async () => {
    window.client = new window.Switchboard('/ws', { getToken: () => 'ann' });
    window.client.subscribe('den');
    await window.client.publish('den', 'hello');
  });
  const before = await server.stats();
  await leavesNothing(ann, server, 1, 1_000, async ([times]) => {
    const { signal } = window.lasting ??= new AbortController();
    for (let n = 0; n < times; n += 1) {
      const room = window.client.subscribe(`room ${n % 7}`, { signal });
      room.on('message', () => {});
      await new Promise((resolve) => room.on('subscribed', resolve));
      room.close();
    }
  });
  await leavesNothing(ann, server, 1, 5_000, async ([times]) => {
    const { signal } = window.lasting;
    for (let n = 0; n < times; n += 50) {
      await Promise.all(Array.from({ length: 50 }, (_, k) => window.client.publish('den', n + k, { signal, volatile: k % 5 === 0 })));
    }
  });
  await server.reaches({ total_connections: 1, active_rooms: before.active_rooms, queued_bytes: before.queued_bytes });
});

test('of 300 clients nothing is left, in the page and at the server', async (t) => {
  const server = await chat(t, '--rate', 0, '--users', 'allow:50');
  const ann = await opened(t, server);
  await leavesNothing(ann, server, 0, 300, async ([times]) => {
    for (let n = 0; n < times; n += 1) {
      const client = new window.Switchboard('/ws', { getToken: () => 'ann' });
      client.subscribe('den').on('message', () => {});
      await client.publish('den', 'hello');
      client.close();
    }
  });
  await server.reaches({ total_connections: 0, active_rooms: 0, closing: 0 });
});
