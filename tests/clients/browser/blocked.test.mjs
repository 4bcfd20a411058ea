// The TypeScript client in a browser whose network lets no WebSocket through, against a running chat.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { after, before, test } from 'node:test';
import WebSocket from 'ws';
import { chat } from '../node/server.mjs';
import { until } from '../node/wait.mjs';
import { browser } from './pages.mjs';

const DIST = new URL('../../../client-ts/dist/', import.meta.url);

let chromium;
before(async () => {
  chromium = await browser();
});
after(() => chromium?.close());

/** A proxy that refuses upgrades, as some networks have one; it can cut what goes through it. */
async function proxy(t, server) {
  const seen = { upgrades: 0, streams: 0, cut: () => {} };
  const [hostname, port] = server.host.split(':');
  const between = http.createServer((request, response) => {
    const { method, url, headers } = request;
    const onward = http.request({ hostname, port, method, path: url, headers }, (answer) => {
      if (answer.headers['content-type'] === 'text/event-stream') {
        seen.streams += 1;
        seen.cut = () => response.destroy();
      }
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    response.on('close', () => onward.destroy());
    onward.on('error', () => response.destroy());
    request.pipe(onward);
  });
  between.on('upgrade', (_, socket) => {
    seen.upgrades += 1;
    socket.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
  });
  await new Promise((resolve) => between.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    between.closeAllConnections();
    between.close();
  });
  return Object.assign(seen, { host: `127.0.0.1:${between.address().port}` });
}

/** A page of that host, under the policy of the chat's own page, with a client called `ann` in the room `den`. */
async function client(t, host, init = () => {}) {
  const context = await chromium.newContext();
  t.after(() => context.close());
  const page = await context.newPage();
  await page.addInitScript(init);
  await page.route('**/dist/*', (route) => {
    const body = readFileSync(new URL(route.request().url().split('/dist/')[1], DIST));
    return route.fulfill({ contentType: 'text/javascript', body });
  });
  // A file of the chat that does nothing, under the policy of its page.
  const file = await page.goto(`http://${host}/base.css`);
  assert.match(file.headers()['content-security-policy'], /connect-src 'self'/);
  await page.evaluate(async () => {
    const { Switchboard } = await import('/dist/index.js');
    const { transports } = await import('/dist/sse.js');
    window.heard = [];
    window.client = new Switchboard('/ws', { getToken: () => 'ann', webSocket: transports(['websocket', 'sse']) });
    window.den = window.client.subscribe('den');
    window.den.on('message', ({ content }) => window.heard.push(content));
    window.den.on('gap', () => window.heard.push('a gap'));
  });
  const look = (what) => page.evaluate(what);
  await until(() => look(() => window.den.status === 'active'), 'that it is in the room', 20_000);
  return { page, heard: () => look(() => window.heard), state: () => look(() => window.client.state.status) };
}

/** A member of the room, by a WebSocket. */
async function bob(t, server) {
  const socket = new WebSocket(`ws://${server.host}/ws/den?token=bob`);
  const heard = [];
  socket.on('message', (data) => heard.push(JSON.parse(data)));
  t.after(() => socket.terminate());
  await until(() => heard.some(({ type }) => type === 'subscribed'), 'that bob is in the room');
  return {
    say: (content) => socket.send(JSON.stringify({ type: 'message', channel: 'den', content })),
    hears: (content) => until(() => heard.some((it) => it.type === 'message' && it.content === content), `bob: ${content}`),
  };
}

test('a page behind a proxy that refuses upgrades talks over an event stream, and goes on where it was cut', async (t) => {
  const server = await chat(t);
  const between = await proxy(t, server);
  const other = await bob(t, server);
  const ann = await client(t, between.host);
  other.say('to ann');
  await until(async () => (await ann.heard()).includes('to ann'), 'that ann hears bob');
  assert.ok((await ann.page.evaluate(() => window.client.publish('den', 'to bob'))) > 1);
  await other.hears('to bob');
  const { upgrades } = between;
  assert.deepEqual([upgrades, between.streams], [1, 1]);

  between.cut();
  other.say('meanwhile');
  await until(async () => (await ann.heard()).includes('meanwhile'), 'that ann gets what she missed', 20_000);
  await ann.page.evaluate(() => window.client.publish('den', 'still here'));
  await other.hears('still here');
  assert.deepEqual(await ann.heard(), ['to ann', 'meanwhile']);
  assert.deepEqual([between.upgrades, between.streams], [upgrades, 2], 'what works is remembered');

  await ann.page.reload();
  assert.match(await ann.page.evaluate(() => JSON.stringify({ ...window.sessionStorage })), /"sse"/);
});

test('a page whose browser forbids WebSockets talks over an event stream', async (t) => {
  const server = await chat(t);
  const other = await bob(t, server);
  const ann = await client(t, server.host, () => {
    window.WebSocket = class {
      constructor() {
        throw new Error('forbidden here');
      }
    };
  });
  other.say('to ann');
  await until(async () => (await ann.heard()).includes('to ann'), 'that ann hears bob');
  await ann.page.evaluate(() => window.client.publish('den', 'to bob'));
  await other.hears('to bob');
  await ann.page.evaluate(() => window.client.close());
  await until(async () => (await server.stats()).total_connections === 1, 'that only bob is left');
});
