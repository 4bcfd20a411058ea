// Event streams in place of WebSockets: against a server of the test, which speaks HTTP and no more.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { afterEach, describe, it } from 'node:test';
import { Switchboard } from '../dist/index.js';
import { transports } from '../dist/sse.js';

const ends = [];
afterEach(async () => { for (const end of ends.splice(0)) await end(); });

/** A server of event streams. `answers` are the statuses of the next posts, 202 by default. */
async function serve({ refuse, answers = [], split = 1_000 } = {}) {
  const seen = { streams: [], posts: [], heads: [] };
  const server = createServer(async (request, response) => {
    seen.heads.push(request);
    if (request.method === 'POST') {
      let body = '';
      for await (const part of request) body += part;
      const status = answers.shift() ?? 202;
      if (status === 202) seen.posts.push(JSON.parse(body));
      response.writeHead(status, status === 429 ? { 'Retry-After': '0.01' } : {}).end();
      for (const frame of status === 202 ? [JSON.parse(body)].flat() : []) reply(frame);
      return;
    }
    if (refuse) return void response.writeHead(refuse[0]).end(refuse[1]);
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    seen.streams.push({
      url: request.url,
      /** Writes a few characters at a time. */
      write(text) { for (let at = 0; at < text.length; at += split) response.write(text.slice(at, at + split)); },
      end: () => response.end(),
    });
    const welcome = { type: 'welcome', connection: 'c1', user: 'ann', ping_ms: 25_000, max_bytes: 65_536 };
    seen.streams.at(-1).write(`event: session\ndata: {"session":"s${seen.streams.length}"}\n\n:\ndata: ${JSON.stringify(welcome)}\n\n`);
  });
  function reply({ type, channel, id }) {
    const answer = type === 'subscribe' ? { type: 'subscribed', channel, id, seq: 0, epoch: 'e' } : { type: 'ack', id, seq: 1 };
    seen.streams.at(-1)?.write(`id: e.0\ndata: ${JSON.stringify(answer)}\n\n`);
  }
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ends.push(() => { server.closeAllConnections(); server.close(); });
  return Object.assign(seen, { url: `ws://127.0.0.1:${server.address().port}/ws/den` });
}

function connect(url, names, options = {}, more = {}) {
  const client = new Switchboard(url, { webSocket: transports(names, options), backoff: { min: 1, max: 5 }, ...more });
  ends.push(() => client.close());
  return client;
}

const state = (client, ...wanted) => new Promise((resolve) => {
  const look = () => { if (wanted.includes(client.state.status)) { off(); resolve(client.state); } };
  const off = client.on('state', look);
  look();
});

/** WebSockets that do not open, in each way. */
class Throws { static tries = 0; constructor() { Throws.tries += 1; throw new Error('forbidden here'); } }
class Fails { static tries = 0; constructor() { Fails.tries += 1; queueMicrotask(() => this.onclose?.({ code: 1006, reason: '' })); } close() {} }
class Hangs { static tries = 0; static closed = 0; constructor() { Hangs.tries += 1; } close() { Hangs.closed += 1; } }

describe('event streams', () => {
  for (const webSocket of [Throws, Fails, Hangs]) {
    it(`take the place of a WebSocket that ${webSocket.name.toLowerCase()}, and are remembered`, async () => {
      const server = await serve();
      const client = connect(server.url, ['websocket', 'sse'], { webSocket, timeout: 20 });
      assert.equal((await state(client, 'connected')).welcome.user, 'ann');
      assert.equal(await client.publish('den', 'hi'), 1);
      server.streams[0].end();
      await state(client, 'waiting', 'connecting');
      await state(client, 'connected');
      assert.equal(webSocket.tries, 1);
      assert.equal(server.streams.length, 2);
      assert.equal(Hangs.closed, Hangs.tries);
    });
  }

  it('take what comes in any split, and line feeds within', async () => {
    const server = await serve({ split: 1 });
    const client = connect(server.url, ['sse']);
    const heard = new Promise((resolve) => { client.subscribe('den').on('message', resolve); });
    await state(client, 'connected');
    while (!server.posts.length) await new Promise((resolve) => { setTimeout(resolve); });
    server.streams[0].write('id: e.1\ndata: {"type":"message","channel":"den",\ndata: "content":"é","seq":1}\n\n');
    assert.equal((await heard).content, 'é');
  });

  it('post in order, what waits together, and again where the server is busy', async () => {
    const server = await serve({ answers: [202, 429, 202] });
    const client = connect(server.url, ['sse']);
    await state(client, 'connected');
    const all = await Promise.all([1, 2, 3, 4].map((n) => client.publish('den', n)));
    assert.deepEqual(all, [1, 1, 1, 1]);
    assert.deepEqual(server.posts.flat().map(({ content }) => content), [1, 2, 3, 4]);
    assert.deepEqual(server.posts.map((post) => [post].flat().length), [1, 3]);
    assert.deepEqual(server.heads.filter(({ method }) => method === 'POST').map(({ url }) => url), ['/sse/s1', '/sse/s1', '/sse/s1']);
  });

  it('split what is too large for one post', async () => {
    const server = await serve();
    const client = connect(server.url, ['sse'], {}, { requestTimeout: 20_000 });
    await state(client, 'connected');
    const texts = Array.from({ length: 100 }, () => 'é'.repeat(2_000));
    await Promise.all(texts.map((text) => client.publish('den', text)));
    assert.equal(server.posts.flat().length, 100);
    for (const post of server.posts) assert.ok(Buffer.byteLength(JSON.stringify(post)) <= 65_536);
  });

  it('end with the code that the server tells', async () => {
    const server = await serve();
    const client = connect(server.url, ['sse']);
    await state(client, 'connected');
    server.streams[0].write('event: close\ndata: {"code":4004,"reason":"kicked"}\n\n');
    const { last, reason } = await state(client, 'stopped');
    assert.deepEqual([last.code, last.reason], [4004, 'kicked'], reason);
  });

  it('are over when the session has ended or a message is too large', async () => {
    for (const [status, code] of [[404, 1006], [413, 1009]]) {
      const server = await serve({ answers: [status] });
      const client = connect(server.url, ['sse'], {}, { backoff: { min: 60_000, max: 60_000 } });
      await state(client, 'connected');
      client.publish('den', 1).catch(() => {});
      assert.equal((await state(client, 'waiting', 'stopped')).last.code, code);
    }
  });

  it('tell a refusal as a WebSocket would, and no other transport is tried', async () => {
    for (const [status, text, code] of [[401, 'unauthorized\n', 4001], [503, 'lobby_full\n', 4002], [403, 'forbidden\n', 4003]]) {
      const server = await serve({ refuse: [status, text] });
      const tries = Fails.tries;
      const client = connect(server.url, ['sse', 'websocket'], { webSocket: Fails });
      assert.equal((await state(client, 'stopped')).last.code, code);
      assert.equal(Fails.tries, tries);
    }
  });

  it('bring the token, the session and the position', async () => {
    const server = await serve();
    const client = connect(server.url, ['sse'], {}, { getToken: () => 'tökén' });
    await state(client, 'connected');
    const url = new URL(server.streams[0].url, 'http://host');
    assert.deepEqual([url.pathname, url.searchParams.get('token')], ['/sse/den', 'tökén']);
    assert.match(url.searchParams.get('session'), /^[\w-]+$/);
  });

  it('are at the path that the options name', async () => {
    const server = await serve();
    const at = server.url.replace('/ws/den', '');
    for (const [path, expected] of [['/a/live/den', '/a/events/den'], ['/live', '/events'], ['/live/live', '/events/live']]) {
      const client = connect(at + path, ['sse'], { endpoint: '/live', eventStream: '/events' });
      await state(client, 'connected');
      assert.equal(server.streams.at(-1).url.split('?')[0], expected);
      client.close();
    }
  });
});
