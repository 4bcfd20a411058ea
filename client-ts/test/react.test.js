import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FakeSocket } from './fakes.js';
import { doing, h, provider, render, text, types } from './hooks.js';

const { useChannel, useSwitchboard } = await import('../dist/react.js');

function Status() { return useSwitchboard().state.status; }

function Room({ name, seen }) {
  const { status, presence } = useChannel(name, { onMessage: ({ content }) => seen?.push(content) });
  return `${name}:${status}:${presence ? presence.users.join('+') : '-'};`;
}

describe('under StrictMode', () => {
  it('one socket per provider, from mounting to unmounting', async () => {
    await render(provider(h(Status)));
    assert.equal(FakeSocket.all.length, 1);
    assert.equal(FakeSocket.last.closed, null);
    assert.equal(text(), 'connecting');
    await doing(() => FakeSocket.last.welcome());
    assert.equal(text(), 'connected');
    await render(null);
    assert.deepEqual(FakeSocket.last.closed, { code: 1000, reason: '' });
    assert.equal(FakeSocket.all.length, 1);
  });

  it('components share a subscription, which ends with the last of them', async () => {
    await render(provider(h(Room, { name: 'a', key: 1 }), h(Room, { name: 'a', key: 2 })));
    await doing(() => FakeSocket.last.welcome());
    const [{ id }, ...more] = FakeSocket.last.take();
    assert.deepEqual(more, []);
    await doing(() => FakeSocket.last.receive({ type: 'subscribed', channel: 'a', id, seq: 0, epoch: 'e' }).receive({ type: 'presence', channel: 'a', count: 1, users: ['ann'] }));
    assert.equal(text(), 'a:active:ann;a:active:ann;');
    await doing(() => FakeSocket.last.receive({ type: 'presence', channel: 'a', count: 2, joined: ['bob'] }));
    await render(provider(h(Room, { name: 'a', key: 1 }), h(Room, { name: 'a', key: 3 })));
    assert.equal(text(), 'a:active:ann+bob;a:active:ann+bob;');
    assert.deepEqual(types(FakeSocket.last), []);
    await render(provider(h(Room, { name: 'a', key: 3 })));
    assert.deepEqual(types(FakeSocket.last), []);
    await render(provider());
    assert.deepEqual(types(FakeSocket.last), ['unsubscribe a']);
  });

  it('another channel: one is left, the other entered', async () => {
    await render(provider(h(Room, { name: 'a' })));
    await doing(() => FakeSocket.last.welcome());
    FakeSocket.last.take();
    await render(provider(h(Room, { name: 'b' })));
    assert.deepEqual(types(FakeSocket.last).sort(), ['subscribe b', 'unsubscribe a']);
    assert.equal(text(), 'b:pending:-;');
  });

  it('a component that moves in one commit keeps the channel', async () => {
    await render(provider(h('p', { key: 'p' }, h(Room, { name: 'a' }))));
    await doing(() => FakeSocket.last.welcome());
    FakeSocket.last.take();
    await render(provider(h('b', { key: 'b' }, h(Room, { name: 'a' }))));
    assert.deepEqual(types(FakeSocket.last), []);
  });

  it('each message once, to the newest handler', async () => {
    const [before, after] = [[], []];
    await render(provider(h(Room, { name: 'a', seen: before })));
    await doing(() => FakeSocket.last.welcome().letIn());
    await doing(() => FakeSocket.last.receive({ type: 'message', channel: 'a', content: 1, sender: 'bob', seq: 1 }));
    await render(provider(h(Room, { name: 'a', seen: after })));
    await doing(() => FakeSocket.last.receive({ type: 'message', channel: 'a', content: 2, sender: 'bob', seq: 2 }));
    assert.deepEqual([before, after], [[1], [2]]);
  });

  it('a lost connection shows, and nobody is present', async () => {
    await render(provider(h(Room, { name: 'a' }), h(Status)));
    await doing(() => FakeSocket.last.welcome().letIn().receive({ type: 'presence', channel: 'a', count: 1, users: ['ann'] }));
    await doing(() => FakeSocket.last.end(4004, 'kicked'));
    assert.equal(text(), 'a:pending:-;stopped');
  });

  it('publishes', async () => {
    let publish;
    const Writer = () => { ({ publish } = useChannel('a')); return null; };
    await render(provider(h(Writer)));
    await doing(() => FakeSocket.last.welcome().letIn());
    const sent = publish('hi');
    const [{ id }] = FakeSocket.last.take();
    FakeSocket.last.receive({ type: 'ack', id, seq: 5 });
    assert.equal(await sent, 5);
  });
});

it('without a provider it says so', async () => {
  const log = console.error;
  console.error = () => {};
  try {
    await assert.rejects(async () => { await render(h(Status)); }, /SwitchboardProvider/);
  } finally { console.error = log; }
});
