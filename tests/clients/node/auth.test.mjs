// Authentication: by name, and by token in each place where a token may stand.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, JSON_PROTOCOL } from './client.mjs';
import { SECRET, bearer, inSeconds, of, token } from './jwt.mjs';
import { NOBODY, chat } from './server.mjs';
import { until } from './wait.mjs';

const UNAUTHORIZED = { code: 4001, reason: 'unauthorized' };

/** Each way to bring a token, as path and options of a client. */
const carriers = (it) => ({
  query: ['/ws?token=' + encodeURIComponent(it), {}],
  header: ['/ws', { headers: { Authorization: `Bearer ${it}` } }],
  subprotocol: ['/ws', { protocols: [JSON_PROTOCOL, bearer(it)] }],
});

/** A client that logs in by its first message. */
async function firstMessage(server, text, path = '/ws') {
  const client = new Client(server, path);
  await until(() => client.opened, 'the upgrade');
  client.send(text);
  return client.verdict();
}

test('without a secret a client is whom it names, in the URL or in its first message', async (t) => {
  const server = await chat(t);
  assert.equal((await Client.as(server, 'ann')).user, 'ann');
  const client = await firstMessage(server, { type: 'auth', token: 'bob' }, '/ws/den');
  assert.equal(client.user, 'bob');
});

test('first-message authentication: silence, then authenticated, welcome, the lobby', async (t) => {
  const server = await chat(t);
  const client = new Client(server, '/ws/den');
  await until(() => client.opened, 'the upgrade');
  await server.reaches({ pending_handshakes: 1, total_connections: 0, users: 0, active_rooms: 0 });
  assert.deepEqual(client.messages, []);
  client.send({ type: 'auth', token: 'bob', id: 7 });
  await client.next({ type: 'presence' });
  const kinds = client.messages.map((it) => it.type);
  assert.deepEqual(kinds, ['authenticated', 'welcome', 'subscribed', 'presence']);
  const [authenticated, welcome, subscribed, presence] = client.messages;
  assert.deepEqual(authenticated, { type: 'authenticated', user: 'bob', id: 7 });
  assert.equal(welcome.user, 'bob');
  assert.equal(typeof welcome.connection, 'string');
  assert.equal(welcome.ping_ms, 25_000);
  assert.equal(welcome.max_bytes, 65_536);
  assert.equal(subscribed.channel, 'den');
  assert.equal(subscribed.seq, 0);
  assert.equal(typeof subscribed.epoch, 'string');
  assert.deepEqual(presence, { type: 'presence', channel: 'den', count: 1, users: ['bob'] });
  await server.reaches({ pending_handshakes: 0, total_connections: 1 });
});

test('who does not log in in time is closed 4103', async (t) => {
  const server = await chat(t, '--auth-timeout', 0.3);
  const client = new Client(server, '/ws');
  assert.deepEqual(await client.end(3000), { code: 4103, reason: 'auth_timeout' });
  assert.deepEqual(client.messages, []);
  await server.reaches(NOBODY);
});

test('before logging in anything but a small auth is abuse', async (t) => {
  const server = await chat(t);
  for (const text of [
    { type: 'subscribe', channel: 'den' },
    { type: 'ping' },
    'not json',
    { type: 'auth', token: 'a'.repeat(5000) },
    Buffer.from([1, 2, 3]),
  ]) {
    const client = new Client(server, '/ws');
    await until(() => client.opened, 'the upgrade');
    client.socket.send(Buffer.isBuffer(text) || typeof text === 'string' ? text : JSON.stringify(text));
    const { code } = await client.end(3000);
    assert.equal(code, 1008, JSON.stringify(text).slice(0, 60));
    assert.deepEqual(client.messages, []);
  }
  await server.reaches(NOBODY);
});

test('a good token is taken from each of its places', async (t) => {
  const server = await chat(t, '--secret', SECRET);
  for (const [carrier, [path, options]] of Object.entries(carriers(of('ann')))) {
    const client = await new Client(server, path, options).verdict();
    assert.ok(client.in, `${carrier}: ${client}`);
    assert.equal(client.user, 'ann');
    assert.equal(client.socket.protocol, carrier === 'subprotocol' ? JSON_PROTOCOL : '');
    await client.leave();
  }
  const client = await firstMessage(server, { type: 'auth', token: of('ann') });
  assert.equal(client.user, 'ann');
});

test('the secret may come from the environment', async (t) => {
  const server = await chat(t, { SWITCHBOARD_SECRET: SECRET });
  assert.equal((await new Client(server, `/ws?token=${of('ann')}`).verdict()).user, 'ann');
  const named = await new Client(server, '/ws?token=ann').verdict();
  assert.deepEqual(named.closed, UNAUTHORIZED);
});

const exp = () => inSeconds(3600);
const bad = {
  'a name': () => 'ann',
  'nothing between dots': () => '..',
  'algorithm none without a signature': () =>
    token({ sub: 'ann', exp: exp() }, { header: { alg: 'none' } }).replace(/[^.]*$/, ''),
  'algorithm none with a signature': () =>
    token({ sub: 'ann', exp: exp() }, { header: { alg: 'none' } }),
  'algorithm None': () => token({ sub: 'ann', exp: exp() }, { header: { alg: 'None' } }),
  'algorithm HS512': () =>
    token({ sub: 'ann', exp: exp() }, { header: { alg: 'HS512' }, hash: 'sha512' }),
  'algorithm HS384 in name only': () =>
    token({ sub: 'ann', exp: exp() }, { header: { alg: 'HS384' } }),
  'algorithm RS256 in name only': () =>
    token({ sub: 'ann', exp: exp() }, { header: { alg: 'RS256' } }),
  'no algorithm': () => token({ sub: 'ann', exp: exp() }, { header: { typ: 'JWT' } }),
  'another key': () => token({ sub: 'ann', exp: exp() }, { key: 'guess' }),
  'an empty key': () => token({ sub: 'ann', exp: exp() }, { key: '' }),
  'a cut signature': () => of('ann').slice(0, -3),
  'no signature': () => of('ann').replace(/[^.]*$/, ''),
  'a changed claim': () => {
    const [header, , signature] = of('ann').split('.');
    return [header, of('root').split('.')[1], signature].join('.');
  },
  'a fourth part': () => `${of('ann')}.x`,
  'one that expired a minute ago': () => token({ sub: 'ann', exp: inSeconds(-60) }),
  'no expiry': () => token({ sub: 'ann' }),
  'an expiry that is a text': () => token({ sub: 'ann', exp: 'tomorrow' }),
  'a negative expiry': () => token({ sub: 'ann', exp: -1 }),
  'no subject': () => token({ exp: exp() }),
  'an empty subject': () => token({ sub: '', exp: exp() }),
  'a subject that is a number': () => token({ sub: 7, exp: exp() }),
  'a subject of 129 bytes': () => token({ sub: 'a'.repeat(129), exp: exp() }),
  'a subject with a control character': () => token({ sub: 'a\nb', exp: exp() }),
  'claims that are no object': () => token('[]'),
  'claims that are no JSON': () => token('{'),
};

test('a bad token is closed 4001, whatever is wrong with it', async (t) => {
  const server = await chat(t, '--secret', SECRET);
  for (const [wrong, make] of Object.entries(bad)) {
    const client = await new Client(server, `/ws/den?token=${make()}`).verdict();
    assert.deepEqual(client.closed, UNAUTHORIZED, `${wrong}: ${client}`);
    assert.deepEqual(client.messages, [], wrong);
  }
  await server.reaches({ ...NOBODY, refused: { unauthorized: Object.keys(bad).length } });
});

test('a bad token is closed 4001 from each of its places', async (t) => {
  const server = await chat(t, '--secret', SECRET);
  const forged = bad['another key']();
  for (const [carrier, [path, options]] of Object.entries(carriers(forged))) {
    const client = await new Client(server, path, options).verdict();
    assert.deepEqual(client.closed, UNAUTHORIZED, `${carrier}: ${client}`);
  }
  const first = await firstMessage(server, { type: 'auth', token: forged });
  assert.deepEqual(first.closed, UNAUTHORIZED);
});

test('with --refuse http a bad token is answered 401', async (t) => {
  const server = await chat(t, '--secret', SECRET, '--refuse', 'http');
  for (const make of [bad['another key'], bad['algorithm none with a signature'], bad['a name']]) {
    const client = await new Client(server, `/ws?token=${make()}`).verdict();
    assert.equal(client.refused?.status, 401, String(client));
  }
});

test('a token may have expired five seconds ago, and its connection ends 4202 when it has', async (t) => {
  const server = await chat(t, '--secret', SECRET);
  const old = token({ sub: 'ann', exp: inSeconds(-3) });
  const client = await new Client(server, `/ws/den?token=${old}`).verdict();
  assert.ok(client.in, String(client));
  assert.deepEqual(await client.end(6000), { code: 4202, reason: 'token_expired' });
  await server.reaches(NOBODY);
});

test('auth refreshes a login in place, and must name the same user', async (t) => {
  const server = await chat(t, '--secret', SECRET);
  const expiring = () => token({ sub: 'ann', exp: inSeconds(-3) });
  const refreshed = await new Client(server, `/ws?token=${expiring()}`).verdict();
  refreshed.send({ type: 'auth', token: of('ann'), id: 'again' });
  await refreshed.next({ type: 'authenticated', user: 'ann', id: 'again' });
  // The clock that would have ended it: another connection with the same expiry.
  const clock = await new Client(server, `/ws?token=${token({ sub: 'clock', exp: inSeconds(-3) })}`).verdict();
  assert.equal((await clock.end(6000)).code, 4202);
  await refreshed.roundTrip();
  refreshed.send({ type: 'auth', token: of('bob') });
  assert.deepEqual(await refreshed.end(), UNAUTHORIZED);
});

test('of two tokens in one request the first in the order of places counts', async (t) => {
  const server = await chat(t, '--secret', SECRET, '--users', 'allow:10');
  const [ann, bob] = [of('ann'), of('bob')];
  for (const [path, options] of [
    [`/ws?token=${ann}&token=${bob}`, {}],
    [`/ws?token=${bob}`, { headers: { Authorization: `Bearer ${ann}` } }],
    [`/ws?token=${bob}`, { protocols: [JSON_PROTOCOL, bearer(ann)] }],
    ['/ws', { headers: { Authorization: `Bearer ${bob}` }, protocols: [JSON_PROTOCOL, bearer(ann)] }],
    ['/ws', { protocols: [JSON_PROTOCOL, bearer(ann), bearer(bob)] }],
    // A cookie is not looked at.
    [`/ws?token=${ann}`, { headers: { Cookie: `token=${bob}` } }],
  ]) {
    const client = await new Client(server, path, options).verdict();
    assert.equal(client.user, 'ann', `${path.slice(0, 20)} ${Object.keys(options)}: ${client}`);
  }
});

test('at --log trace no line holds a token', async (t) => {
  const server = await chat(t, '--secret', SECRET, '--log', 'trace', '--debug-endpoints');
  const used = [];
  const note = (it) => (used.push(it), it);
  for (const name of ['query', 'header', 'subprotocol']) {
    for (const it of [note(of(`good-${name}`)), note(token({ sub: name, exp: 1 })), note(`plain${name}`)]) {
      const [path, options] = carriers(it)[name];
      await new Client(server, path, options).verdict();
    }
  }
  const first = note(of('first'));
  const client = await firstMessage(server, { type: 'auth', token: first }, '/ws/den');
  client.send({ type: 'auth', token: note(of('first') + '') });
  client.send({ type: 'auth', token: note(token({ sub: 'first', exp: inSeconds(99) })) });
  await client.roundTrip();
  await firstMessage(server, { type: 'auth', token: note(token({ sub: 'x', exp: 2 })) });
  const two = note(of('two'));
  await new Client(server, `/ws?token=${two}&token=${two}`).verdict();
  await new Client(server, `/nowhere?token=${note(of('lost'))}`).verdict();
  await server.get(`/healthz?token=${note(of('page'))}`);
  await server.request('POST', `/debug/panic?user=first&token=${note(of('panic'))}`);
  client.send({ type: 'subscribe', channel: 'other' });
  client.send({ type: 'message', channel: 'den', content: 'boo' });
  await client.end();
  await server.get('/stats.json');
  server.signal('SIGTERM');
  await server.exited;

  const said = server.stderr + server.stdout;
  assert.ok(said.split('\n').length > 20, 'it does speak at trace');
  for (const it of used) {
    const signature = it.split('.').at(-1);
    for (const part of [it, signature, Buffer.from(it).toString('base64url').slice(0, 60)]) {
      const line = said.split('\n').find((line) => line.includes(part));
      assert.equal(line, undefined, 'a line with a token');
    }
  }
  assert.ok(!said.includes(SECRET), 'nor the secret');
});

test('a client of a room it may not name is not told more than a bad request', async (t) => {
  const server = await chat(t);
  for (const room of ['%00', '%zz', '%C0%AF', 'a%2Fb', 'a'.repeat(129)]) {
    const client = await new Client(server, `/ws/${room}?token=ann`).verdict();
    assert.equal(client.refused?.status, 400, room);
  }
});
