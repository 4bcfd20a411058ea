// The axum application with a chat in it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client } from '../node/client.mjs';
import { program } from './program.mjs';

/** Logs in by the application's own route. Returns the headers of the session. */
async function logIn(app, name) {
  const response = await fetch(`http://${app.host}/login`, { method: 'POST', body: name });
  assert.equal(response.status, 200);
  return { cookie: response.headers.get('set-cookie').split(';')[0] };
}

const enter = (app, headers) => Client.enter(app, '/ws/lounge', { headers, origin: `http://${app.host}` });

test('the application knows its users, and its REST route publishes', async (t) => {
  const app = await program(t, 'axum-chat', '127.0.0.1:0');
  const [first, second] = [await logIn(app, 'ann'), await logIn(app, 'bob')];
  const [ann, bob] = [await enter(app, first), await enter(app, second)];
  assert.deepEqual([ann.user, bob.user], ['ann', 'bob']);
  ann.send({ type: 'message', content: 'hello' });
  assert.equal((await bob.next({ type: 'message' })).sender, 'ann');
  const published = await fetch(`http://${app.host}/rooms/lounge`, {
    method: 'POST',
    headers: { ...second, 'content-type': 'application/json' },
    body: JSON.stringify({ text: 'from REST' }),
  });
  assert.equal(await published.json(), 2);
  const message = await ann.next({ type: 'message', sender: 'bob' });
  assert.deepEqual(message.content, { text: 'from REST' });
  const users = await fetch(`http://${app.host}/rooms/lounge`, { headers: first });
  assert.deepEqual((await users.json()).sort(), ['ann', 'bob']);
  assert.match(await (await fetch(`http://${app.host}/`)).text(), /new WebSocket/);
  app.child.kill('SIGINT');
  assert.equal((await ann.end()).code, 1001);
  assert.equal((await bob.end()).code, 1001);
  assert.deepEqual(await app.exited, { code: 0, signal: null });
});

test('strangers and foreign pages are refused by status', async (t) => {
  const app = await program(t, 'axum-chat', '127.0.0.1:0');
  const stranger = await new Client(app, '/ws/lounge').verdict();
  assert.equal(stranger.refused.status, 401);
  const headers = await logIn(app, 'ann');
  const foreign = await new Client(app, '/ws/lounge', { headers, origin: 'http://evil.example' }).verdict();
  assert.equal(foreign.refused.status, 403);
  const page = await fetch(`http://${app.host}/ws/lounge`, { headers });
  assert.equal(page.status, 426);
});
