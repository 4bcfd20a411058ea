// Tabs that share one connection.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import * as alone from '../dist/index.js';
import { Switchboard, SwitchboardError } from '../dist/shared.js';
import { FakeSocket, fakeTime } from './fakes.js';
import { Browser, calm } from './tabs.js';

let time;
let browser;
beforeEach(() => {
  time = fakeTime();
  browser = new Browser();
});
afterEach(() => {
  browser.end();
  time.end();
});

/** A tab with a client, and what it hears. */
async function open(options = {}, url = 'ws://host/ws') {
  const tab = browser.open();
  const client = tab.run(() => new Switchboard(url, { webSocket: FakeSocket, seed: 1, shared: true, ...options }));
  const states = [];
  client.on('state', ({ status }) => states.push(status));
  await calm();
  return { tab, client, states };
}

/** Subscribes, and notes what comes. */
async function listen({ tab, client }, channel = 'a', options = {}) {
  const seen = [];
  const sub = tab.run(() => client.subscribe(channel, options));
  sub.on('message', ({ content, seq, sender }) => seen.push([content, seq, sender].filter((one) => one !== undefined).join(' ')));
  sub.on('gap', ({ from, to, away }) => seen.push(`gap ${from}-${to}${away ? ' away' : ''}`));
  sub.on('epoch', ({ from, to }) => seen.push(`epoch ${from} ${to}`));
  sub.on('subscribed', ({ seq, recovered }) => seen.push(`subscribed ${seq}${recovered === undefined ? '' : ` ${recovered}`}`));
  await calm();
  return { sub, seen };
}

const history = { first: 1 };
const say = async (content, seq, more = {}) => { FakeSocket.last.receive({ type: 'message', channel: 'a', content, seq, sender: 'bob', ...more }); await calm(); };
const arrive = async (frame) => { FakeSocket.last.receive(frame); await calm(); };
const subscribed = (seq, more = {}) => arrive({ type: 'subscribed', channel: 'a', seq, epoch: 'e1', ...history, ...more });
const welcome = async () => { FakeSocket.last.welcome(); await calm(); };
/** The next tab leads, once the others have told what they use. */
const handOver = async () => { await calm(); time.pass(100); await calm(); await welcome(); };

describe('tabs that share', () => {
  it('have one connection, and the same states', async () => {
    const [ann, bea, cay] = [await open(), await open(), await open()];
    await welcome();
    assert.equal(FakeSocket.all.length, 1);
    assert.deepEqual([ann, bea, cay].map(({ client }) => client.state.status), ['connected', 'connected', 'connected']);
    assert.equal(bea.client.state.welcome.user, 'ann');
    FakeSocket.last.end();
    await calm();
    assert.deepEqual([bea.client.state.status, bea.client.state.until], ['waiting', ann.client.state.until]);
  });

  it('are those of one URL and one text', async () => {
    for (const [options, url] of [[{}, 'ws://host/ws'], [{}, 'ws://host/other'], [{ shared: 'ann' }, 'ws://host/ws'], [{ shared: 'bob' }, 'ws://host/ws'], [{ shared: 'bob' }, 'ws://host/ws'], [{ shared: false }, 'ws://host/ws']]) await open(options, url);
    assert.equal(FakeSocket.all.length, 5);
  });

  it('subscribe to a channel once, until the last of them leaves it', async () => {
    const [ann, bea] = [await open(), await open()];
    await welcome();
    const a = await listen(ann);
    const b = await listen(bea);
    await listen(bea, 'b');
    assert.deepEqual(FakeSocket.last.take().map(({ type, channel }) => `${type} ${channel}`), ['subscribe a', 'subscribe b']);
    await subscribed(4);
    await say('hi', 5);
    assert.deepEqual([a.seen, b.seen, a.sub.status, b.sub.status], [['subscribed 4', 'hi 5 bob'], ['subscribed 4', 'hi 5 bob'], 'active', 'active']);
    ann.tab.run(() => a.sub.close());
    await calm();
    assert.deepEqual(FakeSocket.last.take(), []);
    await say('ho', 6);
    assert.deepEqual(b.seen.at(-1), 'ho 6 bob');
    bea.tab.run(() => b.sub.close());
    await calm();
    assert.equal(FakeSocket.last.take()[0].type, 'unsubscribe');
  });

  it('have the presence of their channels, of a late one too', async () => {
    const ann = await open();
    await welcome();
    const a = await listen(ann);
    await subscribed(0);
    await arrive({ type: 'presence', channel: 'a', count: 1, users: ['ann'], info: { ann: 'red' } });
    const bea = await open();
    const b = await listen(bea);
    await arrive({ type: 'presence', channel: 'a', count: 2, joined: ['bob'] });
    for (const { sub } of [a, b]) {
      assert.deepEqual([sub.presence.count, sub.presence.users, sub.presence.complete, sub.presence.info.ann], [2, ['ann', 'bob'], true, 'red']);
      assert.equal(sub.presence.info.constructor, undefined);
    }
  });

  it('get the answers to their own requests', async () => {
    const [ann, bea] = [await open(), await open()];
    await welcome();
    const sent = [ann.tab.run(() => ann.client.publish('a', 1)), bea.tab.run(() => bea.client.publish('a', 2)), bea.tab.run(() => bea.client.call('add', 3)), bea.tab.run(() => bea.client.direct('bob', 4))];
    await calm();
    const frames = FakeSocket.last.take();
    assert.deepEqual(frames.map(({ content, params }) => content ?? params), [1, 2, 3, 4]);
    await arrive({ type: 'ack', id: frames[1].id, seq: 8 });
    await arrive({ type: 'ack', id: frames[0].id, seq: 7 });
    await arrive({ type: 'result', id: frames[2].id, content: 'sum' });
    await arrive({ type: 'error', id: frames[3].id, code: 'not_connected', message: 'nobody' });
    assert.deepEqual(await Promise.all(sent.slice(0, 3)), [7, 8, 'sum']);
    await assert.rejects(sent[3], (error) => error instanceof SwitchboardError && error.code === 'not_connected');
  });

  it('see each other\'s messages, and their own only with echo', async () => {
    const [ann, bea] = [await open(), await open()];
    await welcome();
    const [a, b] = [await listen(ann), await listen(bea)];
    await subscribed(0);
    FakeSocket.last.take();
    bea.tab.run(() => bea.client.publish('a', 'from bea'));
    await calm();
    await arrive({ type: 'ack', id: FakeSocket.last.take()[0].id, seq: 1 });
    bea.tab.run(() => bea.client.publish('a', 'to all', { echo: true }));
    await calm();
    await arrive({ type: 'ack', id: FakeSocket.last.take()[0].id, seq: 2 });
    await say('to all', 2, { sender: 'ann' });
    bea.tab.run(() => bea.client.publish('a', 'typing', { volatile: true }));
    await calm();
    await arrive({ type: 'ack', id: FakeSocket.last.take()[0].id });
    await say('on', 3);
    assert.deepEqual(a.seen.slice(1), ['from bea 1 ann', 'to all 2 ann', 'typing ann', 'on 3 bob']);
    assert.deepEqual(b.seen.slice(1), ['to all 2 ann', 'on 3 bob']);
  });

  it('may cancel, ping and set a token, whichever leads', async () => {
    await open();
    const bea = await open();
    await welcome();
    const rtt = [];
    bea.client.on('rtt', (ms) => rtt.push(ms));
    bea.tab.run(() => bea.client.ping());
    await calm();
    time.pass(7);
    await arrive({ type: 'pong', timestamp: FakeSocket.last.take()[0].timestamp });
    bea.tab.run(() => bea.client.setToken('new'));
    await calm();
    assert.deepEqual([rtt, FakeSocket.last.take()], [[7], [{ type: 'auth', token: 'new' }]]);
    FakeSocket.last.end();
    await calm();
    const abort = new AbortController();
    const sent = bea.tab.run(() => bea.client.publish('a', 1, { signal: abort.signal }));
    await calm();
    abort.abort();
    await assert.rejects(sent, { code: 'aborted' });
    await calm();
    time.pass(500);
    await welcome();
    assert.deepEqual(FakeSocket.last.take(), []);
  });
});

describe('a tab that comes later', () => {
  it('begins with the last messages that the leading tab has', async () => {
    const ann = await open();
    await welcome();
    await listen(ann, 'a', { last: 3 });
    assert.equal(FakeSocket.last.take()[0].last, 3);
    await subscribed(9);
    for (const seq of [7, 8, 9, 10]) await say('m', seq);
    const { seen } = await listen(await open(), 'a', { last: 3 });
    await say('m', 11);
    assert.deepEqual(seen, ['subscribed 10', 'm 8 bob', 'm 9 bob', 'm 10 bob', 'm 11 bob']);
  });

  it('begins after its position, or is told what it misses', async () => {
    const ann = await open();
    await welcome();
    await listen(ann);
    await subscribed(9);
    for (const seq of [10, 11]) await say('m', seq);
    const since = async (epoch, seq) => (await listen(await open(), 'a', { since: { epoch, seq } })).seen;
    assert.deepEqual(await since('e1', 10), ['subscribed 11 true', 'm 11 bob']);
    assert.deepEqual(await since('e1', 11), ['subscribed 11 true']);
    assert.deepEqual(await since('e1', 5), ['subscribed 11 false', 'gap 6-11 away']);
    assert.deepEqual(await since('e0', 5), ['subscribed 11 false', 'epoch e0 e1']);
    assert.deepEqual(FakeSocket.last.take().length, 1);
  });

  it('while the channel is not active is told of no recovery, and gets what comes', async () => {
    const ann = await open();
    await welcome();
    const a = await listen(ann);
    await subscribed(4);
    FakeSocket.last.end();
    await calm();
    const b = await listen(await open(), 'a', { since: { epoch: 'e1', seq: 1 } });
    time.pass(500);
    await welcome();
    await subscribed(5, { recovered: true });
    await say('m', 5);
    assert.deepEqual([a.seen, b.seen], [['subscribed 4', 'subscribed 5 true', 'm 5 bob'], ['subscribed 5 false', 'm 5 bob']]);
  });

  it('can enter a lobby, with what was told before', async () => {
    const ann = await open({}, 'ws://host/ws/a');
    await welcome();
    await subscribed(3);
    await arrive({ type: 'presence', channel: 'a', count: 1, users: ['ann'] });
    const a = await listen(ann);
    const [{ id }] = FakeSocket.last.take();
    await arrive({ type: 'error', code: 'already_subscribed', message: '', id, channel: 'a' });
    const b = await listen(await open({}, 'ws://host/ws/a'));
    for (const { sub, seen } of [a, b]) assert.deepEqual([sub.status, sub.presence?.users, seen], ['active', ['ann'], ['subscribed 3']]);
  });
});

describe('the leading tab', () => {
  for (const [how, end] of [['is closed', async ({ tab, client }) => { tab.run(() => client.close()); }], ['crashes', ({ tab }) => tab.crash()]]) {
    it(`${how}: another one goes on where each of them was`, async () => {
      const [ann, bea, cay] = [await open(), await open(), await open()];
      await welcome();
      const [b, c] = [await listen(bea), await listen(cay)];
      await listen(ann, 'of ann');
      await subscribed(4);
      await say('m', 5);
      await end(ann);
      await handOver();
      assert.equal(FakeSocket.all.length, 2);
      assert.equal(FakeSocket.last.session, FakeSocket.all[0].session);
      const sent = FakeSocket.last.take();
      assert.deepEqual(sent.map(({ type, channel, since }) => [type, channel, since]), [['subscribe', 'a', { epoch: 'e1', seq: 5 }]]);
      await subscribed(7, { recovered: true });
      await say('m', 6);
      await say('m', 7);
      for (const { seen } of [b, c]) assert.deepEqual(seen, ['subscribed 4', 'm 5 bob', 'subscribed 7 true', 'm 6 bob', 'm 7 bob']);
      assert.deepEqual([bea.client.state.status, cay.client.state.status], ['connected', 'connected']);
    });
  }

  it('crashes before all have a message: each gets it once', async () => {
    const [ann, bea, cay] = [await open(), await open(), await open()];
    await welcome();
    const [b, c] = [await listen(bea), await listen(cay)];
    await subscribed(4);
    await say('m', 5);
    // The letters of the one that is frozen come when it wakes: it has seen less than the other.
    b.seen.length = c.seen.length = 0;
    FakeSocket.last.receive({ type: 'message', channel: 'a', content: 'm', seq: 6, sender: 'bob' });
    browser.drop(cay.tab);
    await calm();
    await ann.tab.crash();
    await handOver();
    assert.deepEqual(FakeSocket.last.take().map(({ since }) => since), [{ epoch: 'e1', seq: 5 }]);
    await subscribed(7, { recovered: true });
    await say('m', 6);
    await say('m', 7);
    assert.deepEqual([b.seen, c.seen], [['m 6 bob', 'subscribed 7 true', 'm 7 bob'], ['subscribed 7 true', 'm 6 bob', 'm 7 bob']]);
  });

  it('crashes, and what was missed cannot be had: each is told what it misses', async () => {
    const [ann, bea] = [await open(), await open()];
    await welcome();
    const b = await listen(bea);
    await subscribed(4);
    await say('m', 5);
    await ann.tab.crash();
    await handOver();
    await subscribed(9, { recovered: false, first: 8 });
    await say('m', 10);
    assert.deepEqual(b.seen.slice(2), ['subscribed 9 false', 'gap 6-9 away', 'm 10 bob']);
  });

  it('crashes with requests: they are unconfirmed, none is sent twice, and later ones go to the next', async () => {
    const [ann, bea] = [await open(), await open()];
    await welcome();
    const sent = bea.tab.run(() => bea.client.publish('a', 1));
    await calm();
    assert.equal(FakeSocket.last.take().length, 1);
    await ann.tab.crash();
    const waits = bea.tab.run(() => bea.client.publish('a', 2));
    await handOver();
    await assert.rejects(sent, { code: 'unconfirmed' });
    const [{ id, content }, ...more] = FakeSocket.last.take();
    await arrive({ type: 'ack', id, seq: 9 });
    assert.deepEqual([content, more, await waits], [2, [], 9]);
  });

  it('is closed while messages wait for a connection: the next one sends them', async () => {
    const [ann, bea] = [await open(), await open()];
    const sent = bea.tab.run(() => bea.client.publish('a', 1));
    await calm();
    ann.tab.run(() => ann.client.close());
    await handOver();
    const [{ id, content }] = FakeSocket.last.take();
    await arrive({ type: 'ack', id, seq: 3 });
    assert.deepEqual([content, await sent], [1, 3]);
  });

  it('is closed: its own requests end, and its state is its own', async () => {
    const [ann, bea] = [await open(), await open()];
    const waits = ann.tab.run(() => ann.client.publish('a', 1));
    await calm();
    ann.tab.run(() => ann.client.close());
    await assert.rejects(waits, { code: 'stopped' });
    await assert.rejects(ann.tab.run(() => ann.client.publish('a', 1)), { code: 'stopped' });
    await handOver();
    assert.deepEqual([ann.client.state.status, ann.client.state.why, bea.client.state.status], ['stopped', 'asked', 'connected']);
    ann.tab.run(() => ann.client.connect());
    await calm();
    assert.deepEqual([ann.client.state.status, FakeSocket.all.length], ['connected', 2]);
  });

  it('asks its own getToken, and the next one its own', async () => {
    const ann = await open({ getToken: () => 'ann-1', tokenInQuery: true });
    await open({ getToken: () => 'ann-2', tokenInQuery: true });
    await welcome();
    await ann.tab.crash();
    await handOver();
    assert.deepEqual(FakeSocket.all.map(({ url }) => url), ['ws://host/ws?token=ann-1', 'ws://host/ws?token=ann-2']);
  });
});

describe('a tab that ends without leading', () => {
  for (const [how, end] of [['is closed', async ({ tab, client }) => { tab.run(() => client.close()); }], ['crashes', ({ tab }) => tab.crash()]]) {
    it(`${how}: its channels are left`, async () => {
      const [ann, bea] = [await open(), await open()];
      await welcome();
      await listen(ann);
      await listen(bea, 'b');
      FakeSocket.last.take();
      await end(bea);
      await calm();
      assert.deepEqual(FakeSocket.last.take().map(({ type, channel }) => `${type} ${channel}`), ['unsubscribe b']);
      assert.equal(FakeSocket.all.length, 1);
    });
  }
});

describe('a connection that the server stops', () => {
  it('is stopped for all, whoever leads next; a tab that connects begins anew', async () => {
    const [ann, bea] = [await open(), await open()];
    await welcome();
    FakeSocket.last.end(4004, 'kicked');
    await calm();
    assert.deepEqual([ann, bea].map(({ client }) => client.state.last.reason), ['kicked', 'kicked']);
    await ann.tab.crash();
    await calm();
    time.pass(60_000);
    await calm();
    assert.equal(FakeSocket.all.length, 1);
    await open();
    assert.equal(FakeSocket.all.length, 2);
    await welcome();
    assert.equal(bea.client.state.status, 'connected');
  });

  it('begins again when any tab says connect', async () => {
    await open();
    const bea = await open();
    await welcome();
    FakeSocket.last.end(4004, 'kicked');
    await calm();
    bea.tab.run(() => bea.client.connect());
    await calm();
    assert.equal(FakeSocket.all.length, 2);
  });
});

it('a page that is put away lets another one lead, and comes back', async () => {
  const target = new EventTarget();
  globalThis.addEventListener = target.addEventListener.bind(target);
  try {
    const ann = await open();
    delete globalThis.addEventListener;
    const bea = await open();
    globalThis.addEventListener = target.addEventListener.bind(target);
    await welcome();
    ann.tab.run(() => target.dispatchEvent(Object.assign(new Event('pagehide'), { persisted: true })));
    await handOver();
    assert.deepEqual([ann.client.state.why, bea.client.state.status, !!FakeSocket.all[0].closed], ['suspended', 'connected', true]);
    ann.tab.run(() => target.dispatchEvent(new Event('pageshow')));
    await calm();
    assert.deepEqual([ann.client.state.status, FakeSocket.all.length], ['connected', 2]);
  } finally { delete globalThis.addEventListener; }
});

describe('without Web Locks or BroadcastChannel, or without asking', () => {
  it('each tab is alone', async () => {
    for (const miss of [() => { delete globalThis.BroadcastChannel; }, () => { globalThis.navigator.locks = undefined; }]) {
      miss();
      await open();
      await open();
      browser.end();
      browser = new Browser();
    }
    assert.equal(FakeSocket.all.length, 4);
  });

  it('the entry has all that the first one has', async () => {
    const shared = await import('../dist/shared.js');
    assert.deepEqual(Object.keys(shared).sort(), Object.keys(alone).sort());
    assert.equal(shared.SwitchboardError, alone.SwitchboardError);
    assert.ok(new Switchboard('ws://host', { autoConnect: false }) instanceof alone.Switchboard);
  });
});

it('what can never work is thrown at once', () => {
  assert.throws(() => new Switchboard('not an address', { webSocket: FakeSocket, shared: true }), TypeError);
  assert.throws(() => new Switchboard('ws://host', { webSocket: FakeSocket, protocols: ['two words'], shared: true }), TypeError);
});
