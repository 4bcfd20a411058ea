// The README's axum program, as a newcomer pastes it: two clients talk, and it shuts down.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { connect } from 'node:net';
import { test } from 'node:test';
import { Client } from '../node/client.mjs';
import { until } from '../node/wait.mjs';

const { SWITCHBOARD_NEWCOMER, SWITCHBOARD_NEWCOMER_PORT } = process.env;

/** Whether something listens on the port. */
function listens(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => resolve(true)).on('error', () => resolve(false));
    socket.on('connect', () => socket.destroy());
  });
}

test('two clients talk through the README\'s axum program', async (t) => {
  const port = Number(SWITCHBOARD_NEWCOMER_PORT);
  const child = spawn(SWITCHBOARD_NEWCOMER, { stdio: 'inherit' });
  const exited = new Promise((resolve) => child.on('close', (code, signal) => resolve({ code, signal })));
  t.after(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  await until(() => listens(port), 'the program to listen');
  const server = { host: `127.0.0.1:${port}` };
  const [ann, bob] = [await Client.enter(server, '/ws/lounge'), await Client.enter(server, '/ws/lounge')];
  ann.send({ type: 'message', content: 'hello' });
  const heard = await bob.next({ type: 'message' });
  assert.deepEqual([heard.channel, heard.content, heard.sender], ['lounge', 'hello', ann.user]);
  bob.send({ type: 'message', content: { text: 'hello, too' }, id: 1 });
  await ann.next({ type: 'message', content: { text: 'hello, too' } });
  assert.equal((await bob.next({ type: 'ack', id: 1 })).seq, 2);
  for (const client of [ann, bob]) client.socket.close();
  for (const client of [ann, bob]) await client.end();
  child.kill('SIGINT');
  assert.deepEqual(await exited, { code: 0, signal: null });
});
