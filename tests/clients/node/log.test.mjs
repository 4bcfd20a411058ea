// A server whose log cannot be written serves all the same.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client } from './client.mjs';
import { withoutStderr } from './server.mjs';

for (const [name, redirection] of [
  ['closed', '2>&-'],
  // Its reader has ended before the server starts.
  ['a broken pipe', '2> >(:); wait $!'],
  ['a full device', '2>/dev/full'],
]) {
  test(`a server whose standard error is ${name} serves, and drains with status 0`, async (t) => {
    const server = await withoutStderr(t, redirection, '--drain-window', 0, '--log', 'trace');
    const page = await server.get('/');
    assert.equal(page.status, 200);
    assert.match(page.body, /<!doctype html>/i);
    const ann = await Client.as(server, 'ann', 'den');
    const bob = await Client.as(server, 'bob', 'den');
    ann.send({ type: 'message', channel: 'den', content: 'there' });
    await bob.next({ type: 'message', sender: 'ann', content: 'there' });
    bob.send({ type: 'message', channel: 'den', content: 'and back' });
    await ann.next({ type: 'message', sender: 'bob', content: 'and back' });
    await server.reaches({ total_connections: 2, users: 2 });
    server.signal('SIGTERM');
    await server.exited;
    assert.deepEqual(server.ended, { code: 0, signal: null });
    for (const client of [ann, bob]) {
      assert.deepEqual(await client.end(), { code: 1001, reason: 'draining' }, String(client));
    }
    assert.equal(server.stderr, '');
  });
}
