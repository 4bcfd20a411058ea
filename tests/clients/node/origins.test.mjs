// Which pages may connect.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client } from './client.mjs';
import { chat } from './server.mjs';

async function assertOrigins(server, allowed, refused) {
  for (const origin of allowed) {
    const client = await new Client(server, '/ws?token=ann', { headers: { Origin: origin } }).verdict();
    assert.ok(client.in, `${origin}: ${client}`);
    await client.leave();
  }
  for (const origin of refused) {
    const client = await new Client(server, '/ws?token=ann', { headers: { Origin: origin } }).verdict();
    assert.equal(client.refused?.status, 403, `${origin}: ${client}`);
  }
  const program = await new Client(server, '/ws?token=ann').verdict();
  assert.ok(program.in, 'no origin at all is allowed');
}

test('by default only a page of the same host and port may connect', async (t) => {
  const server = await chat(t);
  await assertOrigins(
    server,
    [`http://${server.host}`, `https://${server.host}`],
    [
      'http://evil.example',
      'http://127.0.0.1',
      `http://127.0.0.1:${server.port + 1}`,
      `http://localhost:${server.port}`,
      `http://${server.host}.evil.example`,
      `http://evil.example/${server.host}`,
      `http://${server.host}@evil.example`,
      server.host,
      'null',
      '',
    ],
  );
  assert.equal((await server.stats()).refused.origin, 10);
});

test('a list allows exactly what it names', async (t) => {
  const server = await chat(t, '--origin', 'https://good.example,http://other.example:8443');
  await assertOrigins(
    server,
    ['https://good.example', 'https://good.example:443', 'http://other.example:8443'],
    [
      'http://good.example',
      'https://good.example:8443',
      'https://good.example.evil.example',
      'https://evilgood.example',
      'https://sub.good.example',
      'http://other.example',
      'https://other.example:8443',
      `http://${server.host}`,
      'null',
    ],
  );
});

test('with --origin any every page may connect', async (t) => {
  const server = await chat(t, '--origin', 'any');
  await assertOrigins(server, ['https://good.example', 'http://evil.example'], []);
});
