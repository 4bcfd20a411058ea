// Pointers on a board: volatile messages, and what is told of users.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client } from '../node/client.mjs';
import { program } from './program.mjs';

test('members see the movements and colours of the others', async (t) => {
  const server = await program(t, 'cursors', '127.0.0.1:0');
  const ann = await Client.as(server, 'ann', 'board');
  const bob = await Client.as(server, 'bob', 'board');
  const list = await bob.next({ type: 'presence' });
  assert.deepEqual(list.users, ['ann', 'bob']);
  assert.match(list.info.ann.colour, /^[a-z]+$/);
  ann.send({ type: 'message', content: { x: 0.25, y: 1 }, volatile: true });
  const moved = await bob.next({ type: 'message' });
  assert.deepEqual([moved.sender, moved.content, moved.seq], ['ann', { x: 0.25, y: 1 }, undefined]);
  bob.send({ type: 'message', id: 1, content: { x: 2, y: 0 }, volatile: true });
  assert.equal((await bob.next({ type: 'error', id: 1 })).code, 'no_point');
  bob.send({ type: 'message', id: 2, content: { x: 0, y: 0 } });
  assert.equal((await bob.next({ type: 'error', id: 2 })).code, 'not_volatile');
  ann.socket.close(1000);
  await bob.next({ type: 'presence', count: 1 });
  server.child.kill('SIGINT');
  assert.equal((await bob.end()).code, 1001);
  assert.deepEqual(await server.exited, { code: 0, signal: null });
});
