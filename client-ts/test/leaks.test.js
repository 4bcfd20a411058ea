// What is left of what has ended: objects in the heap after a garbage collection, listeners and timers, counted.
import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { afterEach, describe, it } from 'node:test';
import v8 from 'node:v8';
import { history } from '../dist/history.js';
import { Subscription, Switchboard } from '../dist/index.js';
import { h, providerWith, render } from './hooks.js';

const { useChannel, useConnectionState, useDirect, usePresence } = await import('../dist/react.js');

/** A server that answers all at once. */
class Server {
  static answers = {
    subscribe: ({ channel, id }) => [{ type: 'subscribed', channel, id, seq: 7, epoch: 'e1', first: 1 }, { type: 'presence', channel, count: 1, users: ['ann'] }, { type: 'message', channel, content: 'hi', seq: 8 }],
    unsubscribe: ({ channel, id }) => [{ type: 'unsubscribed', channel, id }],
    message: ({ id, content }) => content === 'unanswered' ? [] : [content === 'bad' ? { type: 'error', id, code: 'forbidden', message: 'no' } : { type: 'ack', id, seq: 9 }],
    call: ({ id, params }) => [{ type: 'result', id, content: params }],
    direct: ({ id }) => [{ type: 'ack', id, delivered: 1 }],
    ping: ({ timestamp }) => [{ type: 'pong', timestamp }],
  };

  constructor() {
    queueMicrotask(() => {
      this.onopen?.({});
      this.#say({ type: 'welcome', connection: 'c1', user: 'ann', ping_ms: 25_000, max_bytes: 65_536 });
    });
  }

  #say(frame) { this.onmessage?.({ data: JSON.stringify(frame) }); }
  send(text) {
    const frame = JSON.parse(text);
    queueMicrotask(() => { for (const answer of Server.answers[frame.type](frame)) this.#say(answer); });
  }
  close(code, reason) { queueMicrotask(() => this.onclose?.({ code, reason })); }
}

const turn = () => new Promise((resolve) => { setImmediate(resolve); });
const options = { webSocket: Server, seed: 1 };

function count() {
  const of = (constructor) => v8.queryObjects(constructor, { format: 'count' });
  // Functions, promises and all else are objects.
  return { objects: of(Object), subscriptions: of(Subscription), timers: process.getActiveResourcesInfo().filter((it) => it === 'Timeout').length };
}

/** Does something so many times, and fails where a tenth of these leave something. What is only made once is made before. */
async function leavesNothing(times, once) {
  for (let n = 0; n < 100; n += 1) await once(n);
  await turn();
  const before = count();
  for (let n = 0; n < times; n += 1) await once(n);
  await turn();
  const after = count();
  const left = Object.entries(after).filter(([what, n]) => n - before[what] > times / 10);
  assert.deepEqual(left, [], `before: ${JSON.stringify(before)}`);
}

describe('nothing is left', { skip: !v8.queryObjects && 'this version of Node cannot count objects' }, () => {
  let client;
  afterEach(() => client.close());

  async function connected() {
    client = new Switchboard('ws://host/ws', options);
    await turn();
    assert.equal(client.state.status, 'connected');
  }

  it('of 1000 subscriptions, with listeners, histories and readers', async () => {
    await connected();
    const { signal } = new AbortController();
    await leavesNothing(1_000, async (n) => {
      const room = client.subscribe(`room ${n}`, { signal, last: 5 });
      room.on('message', () => {});
      const kept = history(room);
      const read = (async () => { for await (const { content } of room) if (content === 'hi') break; })();
      await read;
      assert.equal(kept.messages.length, 1);
      room.close();
      await turn();
    });
    assert.equal(getEventListeners(signal, 'abort').length, 0);
  });

  it('of 5000 requests: answered, refused, called, cancelled', async () => {
    await connected();
    const { signal } = new AbortController();
    const ends = [
      () => client.publish('a', 'hello', { signal }),
      () => client.publish('a', 'bad', { signal }).catch(({ code }) => assert.equal(code, 'forbidden')),
      () => client.call('add', { a: 1 }, { signal }),
      () => client.direct('bob', 'psst', { signal }),
      () => {
        const cancel = new AbortController();
        const sent = client.publish('a', 'late', { signal: cancel.signal });
        cancel.abort();
        return sent.catch(({ code }) => assert.equal(code, 'aborted'));
      },
    ];
    await leavesNothing(5_000, (n) => ends[n % ends.length]());
    assert.equal(getEventListeners(signal, 'abort').length, 0);
  });

  it('of 1000 clients, whatever they had', async () => {
    await leavesNothing(1_000, async () => {
      await connected();
      client.on('state', () => {});
      client.subscribe('a').on('message', () => {});
      client.publish('a', 'unanswered').catch(() => {});
      client.close();
      await turn();
    });
  });

  it('of 1000 connections of one client', async () => {
    await connected();
    client.subscribe('a');
    await leavesNothing(1_000, async () => {
      client.publish('a', 'unanswered').catch(() => {});
      client.close();
      client.connect();
      await turn();
    });
  });
});

describe('React leaves nothing', { skip: !v8.queryObjects && 'this version of Node cannot count objects' }, () => {
  function Room({ name }) {
    const { messages } = useChannel(name, { history: 3, onMessage: () => {} });
    const presence = usePresence(name);
    useDirect(() => {});
    return `${useConnectionState().status} ${messages.length} ${presence?.count}`;
  }

  it('of 1000 mounts of components, each with a channel', async () => {
    await leavesNothing(1_000, async () => {
      await render(providerWith({ options }, h(Room, { name: 'a' })));
      await render(providerWith({ options }));
    });
  });

  it('of 1000 mounts of providers, each with a client', async () => {
    await leavesNothing(1_000, async () => {
      await render(providerWith({ options }, h(Room, { name: 'a' })));
      await render(null);
    });
  });
});
