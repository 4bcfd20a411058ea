// The chat over TLS, as another implementation sees it.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import https from 'node:https';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Client } from './client.mjs';
import { chat, run } from './server.mjs';

const file = (name) => fileURLToPath(new URL(`../tls/${name}`, import.meta.url));
const CERTIFICATE = file('certificate.pem');
const KEY = file('key.pem');
const ca = readFileSync(CERTIFICATE);
const TLS = ['--tls-cert', CERTIFICATE, '--tls-key', KEY];

/** One HTTPS request: { status, body }. */
function get(server, path) {
  return new Promise((resolve, reject) => {
    const options = { host: 'localhost', port: server.port, path, ca, agent: false };
    const request = https.get(options, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text) => (body += text));
      response.on('end', () => resolve({ status: response.statusCode, body }));
    });
    request.on('error', reject);
  });
}

test('pages, health checks and WebSockets are served over TLS', async (t) => {
  const server = await chat(t, '--drain-window', '0', ...TLS);
  const page = await get(server, '/');
  assert.equal(page.status, 200);
  assert.match(page.body, /<html/);
  assert.equal((await get(server, '/healthz')).body, 'ok\n');
  const secure = { ca, scheme: 'wss', origin: `https://${server.host}` };
  const ann = await Client.as(server, 'ann', 'blue', secure);
  const bob = await Client.as(server, 'bob', 'blue', secure);
  ann.send({ type: 'message', content: 'x'.repeat(60_000) });
  assert.equal((await bob.next({ type: 'message' })).content.length, 60_000);
  const stats = JSON.parse((await get(server, '/stats.json')).body);
  assert.equal(stats.total_connections, 2);
  await ann.leave();
  server.signal('SIGTERM');
  assert.equal((await bob.end()).code, 1001);
});

test('who speaks no TLS is not answered by HTTP', async (t) => {
  const server = await chat(t, ...TLS);
  await assert.rejects(server.get('/healthz'));
  assert.equal((await get(server, '/healthz')).status, 200);
});

for (const [flags, words] of [
  [['--tls-cert', CERTIFICATE], ['--tls-cert', 'needs --tls-key']],
  [['--tls-key', KEY], ['--tls-key', 'needs --tls-cert']],
  [['--tls-cert', CERTIFICATE, '--tls-key', 'nowhere.pem'], ['nowhere.pem']],
  [['--tls-cert', 'nowhere.pem', '--tls-key', KEY], ['nowhere.pem']],
  [['--tls-cert', KEY, '--tls-key', KEY], ['key.pem', 'no certificate']],
  [['--tls-cert', CERTIFICATE, '--tls-key', CERTIFICATE], ['certificate.pem']],
]) {
  test(`${flags.map((it) => it.split('/').pop()).join(' ')} is told in one line`, async () => {
    const { code, stdout, stderr } = await run(['--listen', '127.0.0.1:0', ...flags]);
    assert.deepEqual([code, stdout], [2, ''], stderr);
    assert.match(stderr, /^error: [^\n]+\n$/);
    for (const word of words) assert.ok(stderr.includes(word), stderr);
  });
}
