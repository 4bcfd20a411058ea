// The server whose certificate is replaced while it runs.

import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Client } from '../node/client.mjs';
import { until } from '../node/wait.mjs';
import { program } from './program.mjs';

const file = (name) => fileURLToPath(new URL(`../tls/${name}`, import.meta.url));
const ca = readFileSync(file('certificate.pem'));

test('a certificate is read again on SIGHUP, and connections go on', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'switchboard-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const [certificate, key] = ['certificate.pem', 'key.pem'].map((name) => {
    copyFileSync(file(name), join(folder, name));
    return join(folder, name);
  });
  const server = await program(t, 'tls', '127.0.0.1:0', certificate, key);
  const secure = { ca, scheme: 'wss' };
  const ann = await Client.enter(server, '/ws/blue', secure);
  writeFileSync(key, 'broken');
  server.child.kill('SIGHUP');
  const bob = await Client.enter(server, '/ws/blue', secure);
  copyFileSync(file('key.pem'), key);
  server.child.kill('SIGHUP');
  await until(() => server.stdout.includes('read again'), 'the certificate to be read');
  const cem = await Client.enter(server, '/ws/blue', secure);
  cem.send({ type: 'message', content: 'hello' });
  for (const member of [ann, bob]) await member.next({ type: 'message', content: 'hello' });
  server.child.kill('SIGINT');
  for (const member of [ann, bob, cem]) assert.equal((await member.end()).code, 1001);
  assert.deepEqual(await server.exited, { code: 0, signal: null });
});
