// Who is in a channel.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { Switchboard } from '../dist/index.js';
import { FakeSocket, fakeTime } from './fakes.js';

let time;
beforeEach(() => { time = fakeTime(); });
afterEach(() => time.end());

const make = (options = {}) => new Switchboard('ws://host/ws', { webSocket: FakeSocket, seed: 1, ...options });

const NONE = Object.create(null);

describe('presence', () => {
  const present = (frame) => FakeSocket.last.receive({ type: 'presence', channel: 'a', ...frame });

  it('is state of the channel, whoever uses it when', () => {
    const client = make();
    const first = client.subscribe('a');
    assert.equal(first.presence, null);
    FakeSocket.last.welcome().letIn();
    present({ count: 2, users: ['ann', 'bob'] });
    present({ count: 2, joined: ['cay'], left: ['bob'] });
    const second = client.subscribe('a');
    assert.deepEqual(second.presence, { count: 2, users: ['ann', 'cay'], complete: true, info: NONE });
    assert.deepEqual(first.presence, second.presence);
    present({ count: 3, joined: ['dee'] });
    assert.deepEqual(second.presence, { count: 3, users: ['ann', 'cay', 'dee'], complete: true, info: NONE });
  });

  it('has what the application tells of the users', () => {
    const client = make();
    const sub = client.subscribe('a');
    FakeSocket.last.welcome().letIn();
    present({ count: 2, users: ['ann', '__proto__'], info: JSON.parse('{"ann":{"colour":"red"},"__proto__":{"colour":"blue"}}') });
    assert.deepEqual([sub.presence.info.ann, sub.presence.info['__proto__'], sub.presence.info.constructor], [{ colour: 'red' }, { colour: 'blue' }, undefined]);
    present({ count: 1, left: ['__proto__'] });
    assert.deepEqual(Object.keys(sub.presence.info), ['ann']);
  });

  it('of the wrong kind harms nobody', () => {
    const client = make();
    const sub = client.subscribe('a');
    FakeSocket.last.welcome().letIn();
    for (const rubbish of [{ users: 5 }, { joined: {}, left: true }, { count: 'x', users: null, info: 7 }, {}]) present(rubbish);
    present({ count: 1, users: ['ann'] });
    assert.deepEqual(sub.presence, { count: 1, users: ['ann'], complete: true, info: NONE });
  });

  it('is told before its event, and says whether the names are all', () => {
    const client = make();
    const sub = client.subscribe('a');
    const seen = [];
    sub.on('presence', ({ count }) => seen.push([count, sub.presence.count, sub.presence.complete]));
    FakeSocket.last.welcome().letIn();
    present({ count: 60, users: ['ann'] });
    present({ count: 61, joined: ['bob'] });
    present({ count: 2, users: ['ann', 'bob'] });
    present({ count: 2 });
    present({ count: 2, joined: ['cay'], left: ['bob'] });
    assert.deepEqual(seen, [[60, 60, false], [61, 61, false], [2, 2, true], [2, 2, false], [2, 2, false]]);
  });

  it('is not known once the channel is not active', () => {
    const client = make();
    const sub = client.subscribe('a');
    FakeSocket.last.welcome().letIn();
    present({ count: 1, users: ['ann'] });
    FakeSocket.last.receive({ type: 'unsubscribed', channel: 'a' });
    assert.deepEqual([sub.status, sub.presence], ['refused', null]);
    client.subscribe('a').close();
    FakeSocket.last.letIn();
    present({ count: 1, users: ['ann'] });
    FakeSocket.last.end();
    assert.equal(sub.presence, null);
    time.pass(500);
    FakeSocket.last.welcome().letIn();
    assert.equal(sub.presence, null);
    present({ count: 1, users: ['ann'] });
    sub.close();
    assert.equal(client.subscribe('a').presence, null);
  });
});
