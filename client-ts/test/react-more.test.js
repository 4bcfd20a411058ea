// What hooks and provider do beyond one channel of one user.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { renderToString } from 'react-dom/server';
import { FakeSocket, settle } from './fakes.js';
import { doing, h, options, provider, providerWith, render, text, types } from './hooks.js';

const { createHooks, SwitchboardProvider, useChannel, useConnectionState, useDirect, usePresence } = await import('../dist/react.js');

const Status = () => useConnectionState().status;
const say = (channel, content, seq) => FakeSocket.last.receive({ type: 'message', channel, content, seq });

describe('useChannel', () => {
  function Room({ name, ...rest }) {
    const { status, messages } = useChannel(name, rest);
    return `${name || 'none'}:${status}:${messages.map(({ content }) => content).join('+')};`;
  }

  it('keeps the latest messages, and begins with those that the server keeps', async () => {
    await render(provider(h(Room, { name: 'a', history: 2 })));
    await doing(() => FakeSocket.last.welcome());
    const [{ last }] = FakeSocket.last.sent;
    assert.equal(last, 2);
    await doing(() => FakeSocket.last.letIn());
    for (const n of [1, 2, 3]) await doing(() => say('a', n, n));
    await doing(() => FakeSocket.last.receive({ type: 'message', channel: 'a', content: 'typing' }));
    assert.equal(text(), 'a:active:2+3;');
  });

  it('keeps for each component what it asked for, of one subscription', async () => {
    await render(provider(h(Room, { name: 'a', history: 1, key: 1 }), h(Room, { name: 'a', key: 2 }), h(Room, { name: 'a', history: 3, key: 3 })));
    await doing(() => FakeSocket.last.welcome().letIn());
    for (const n of [1, 2, 3, 4]) await doing(() => say('a', n, n));
    assert.equal(text(), 'a:active:4;a:active:;a:active:2+3+4;');
    await render(provider(h(Room, { name: 'a', history: 2, key: 1 }), h(Room, { name: 'a', key: 2 })));
    assert.equal(text(), 'a:active:3+4;a:active:;');
  });

  it('takes options that are null for none', async () => {
    function Loose() {
      const { status, messages } = useChannel('a', null);
      return `${status} ${messages.length} ${useChannel('a', { history: null, since: null, onMessage: null }).status}`;
    }
    await render(provider(h(Loose)));
    await doing(() => FakeSocket.last.welcome());
    assert.deepEqual(FakeSocket.last.sent, [{ type: 'subscribe', channel: 'a', id: 1 }]);
    await doing(() => FakeSocket.last.letIn());
    await doing(() => say('a', 1, 1));
    assert.equal(text(), 'active 0 active');
  });

  it('uses none without a name, and begins with one', async () => {
    for (const name of [null, undefined, false, '']) await render(provider(h(Room, { name })));
    await doing(() => FakeSocket.last.welcome());
    assert.deepEqual([text(), types(FakeSocket.last)], ['none:skipped:;', []]);
    await render(provider(h(Room, { name: 'a' })));
    await doing(() => FakeSocket.last.letIn());
    assert.equal(text(), 'a:active:;');
    await render(provider(h(Room, { name: null })));
    assert.deepEqual([text(), types(FakeSocket.last)], ['none:skipped:;', ['unsubscribe a']]);
  });

  it('without a name cannot publish', async () => {
    let publish;
    const Writer = () => { ({ publish } = useChannel(null)); return null; };
    await render(provider(h(Writer)));
    await assert.rejects(publish('hi'), { code: 'unsubscribed' });
  });

  it('begins after a position', async () => {
    await render(provider(h(Room, { name: 'a', history: 5, since: { epoch: 'e1', seq: 3 } })));
    await doing(() => FakeSocket.last.welcome());
    assert.deepEqual(FakeSocket.last.take(), [{ type: 'subscribe', channel: 'a', since: { epoch: 'e1', seq: 3 }, id: 1 }]);
  });
});

it('usePresence: who is in a channel', async () => {
  const Who = () => { const presence = usePresence('a'); return presence ? `${presence.users.join('+')} ${presence.info.ann?.colour}` : '-'; };
  await render(provider(h(Who)));
  await doing(() => FakeSocket.last.welcome().letIn());
  assert.equal(text(), '-');
  await doing(() => FakeSocket.last.receive({ type: 'presence', channel: 'a', count: 1, users: ['ann'], info: { ann: { colour: 'red' } } }));
  assert.equal(text(), 'ann red');
});

it('useDirect: messages to this user, to the newest handler, and from it', async () => {
  const seen = [[], []];
  let send;
  const Whispers = ({ to }) => { send = useDirect(({ content, sender }) => to.push(`${sender}: ${content}`)); return null; };
  await render(provider(h(Whispers, { to: seen[0] })));
  await doing(() => FakeSocket.last.welcome().receive({ type: 'direct', content: 'psst', sender: 'bob' }));
  await render(provider(h(Whispers, { to: seen[1] })));
  await doing(() => FakeSocket.last.receive({ type: 'direct', content: 'hey', sender: 'bob' }));
  assert.deepEqual(seen, [['bob: psst'], ['bob: hey']]);
  const sent = send('bob', 'yes?');
  const [{ id, to }] = FakeSocket.last.take();
  FakeSocket.last.receive({ type: 'ack', id, delivered: 2 });
  assert.deepEqual([to, await sent], ['bob', 2]);
});

describe('another user', () => {
  const signedIn = (user) => ({ user, options: { ...options, tokenInQuery: true, getToken: () => `token-of-${user}` } });

  it('has another client, with its own token, channels and presence', async () => {
    const Who = () => usePresence('a')?.users.join('+') ?? 'nobody';
    await render(providerWith(signedIn('ann'), h(Who)));
    const [first] = FakeSocket.all;
    assert.match(first.url, /token-of-ann$/);
    await doing(() => first.welcome().letIn().receive({ type: 'presence', channel: 'a', count: 1, users: ['ann'] }));
    assert.equal(text(), 'ann');
    await render(providerWith(signedIn('bob'), h(Who)));
    assert.equal(text(), 'nobody');
    assert.deepEqual([first.closed, FakeSocket.all.length], [{ code: 1000, reason: '' }, 2]);
    assert.match(FakeSocket.last.url, /token-of-bob$/);
    assert.notEqual(FakeSocket.last.session, first.session);
    await doing(() => FakeSocket.last.welcome().letIn().receive({ type: 'presence', channel: 'a', count: 1, users: ['bob'] }));
    assert.equal(text(), 'bob');
  });

  it('is not assumed for a provider that is only rendered again, with new options and functions', async () => {
    for (let i = 0; i < 3; i += 1) await render(providerWith({ ...signedIn('ann'), url: () => 'ws://host/ws' }, h(Status)));
    assert.equal(FakeSocket.all.length, 1);
  });

  it('is asked for by the latest getToken', async () => {
    await render(providerWith({ user: 1, options: { ...options, tokenInQuery: true, getToken: () => 'old' } }, h(Status)));
    await doing(() => FakeSocket.last.welcome());
    await render(providerWith({ user: 1, options: { ...options, tokenInQuery: true, getToken: () => 'new' } }, h(Status)));
    await doing(() => FakeSocket.last.end(4001, 'unauthorized'));
    // It reconnects within a second.
    while (FakeSocket.all.length < 2) await doing(() => new Promise((resolve) => { setTimeout(resolve, 10); }));
    assert.match(FakeSocket.last.url, /token=new$/);
  });

  it('another address is another client', async () => {
    await render(providerWith({ url: 'ws://host/one' }, h(Status)));
    await render(providerWith({ url: 'ws://host/two' }, h(Status)));
    assert.deepEqual(FakeSocket.all.map(({ url, closed }) => [url, !!closed]), [['ws://host/one', true], ['ws://host/two', false]]);
  });
});

it('a server renders pages without a socket', async () => {
  const Room = () => { const { status, presence, messages } = useChannel('a', { history: 3 }); return `${status} ${presence} ${messages.length} ${useConnectionState().status}`; };
  const html = renderToString(h(SwitchboardProvider, { url: '/ws', options: { getToken: () => 'x' } }, h(Room)));
  await settle();
  assert.match(html, /pending null 0 idle/);
  assert.equal(FakeSocket.all.length, 0);
});

it('the hooks of createHooks are the same, with types', () => {
  const hooks = createHooks();
  assert.deepEqual([hooks.useChannel, hooks.usePresence], [useChannel, usePresence]);
});

it('the module says that it belongs to the client', () => {
  assert.match(readFileSync(new URL('../dist/react.js', import.meta.url), 'utf8'), /^(["'])use client\1;/);
});
