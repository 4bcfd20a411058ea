// The entry `history`: the latest messages of a subscription.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { history } from '../dist/history.js';
import { Switchboard } from '../dist/index.js';
import { FakeSocket, fakeTime } from './fakes.js';

let time;
let subscription;
beforeEach(() => {
  time = fakeTime();
  subscription = new Switchboard('ws://host/ws', { webSocket: FakeSocket, seed: 1 }).subscribe('a', { last: 2 });
  FakeSocket.last.welcome().receive({ type: 'subscribed', channel: 'a', seq: 3, epoch: 'e1', first: 1 });
});
afterEach(() => time.end());

const say = (...numbers) => { for (const seq of numbers) FakeSocket.last.receive({ type: 'message', channel: 'a', content: seq, seq }); };
const seqs = ({ messages }) => messages.map(({ seq }) => seq);

describe('the history of a subscription', () => {
  it('is the latest messages, oldest first, within its limit', () => {
    const kept = history(subscription, 3);
    say(2, 3, 4, 5);
    assert.deepEqual(seqs(kept), [3, 4, 5]);
    assert.equal(history(subscription).messages.length, 0);
    const usual = [history(subscription), history(subscription, null)];
    say(...Array.from({ length: 120 }, (_, n) => n + 6));
    assert.deepEqual(usual.map(({ messages }) => messages.length), [100, 100]);
  });

  it('changes by another array, and tells', () => {
    const kept = history(subscription);
    const told = [];
    const off = kept.on('change', (messages) => told.push(messages));
    const before = kept.messages;
    say(4);
    assert.deepEqual([before.length, told], [0, [kept.messages]]);
    off();
    say(5);
    assert.equal(told.length, 1);
  });

  it('is without what has no number, and has nothing twice', () => {
    const kept = history(subscription);
    FakeSocket.last.receive({ type: 'message', channel: 'a', content: 'typing' });
    say(4, 4);
    assert.deepEqual(seqs(kept), [4]);
  });

  it('is complete unless a message between the first and the last is missing', () => {
    const kept = history(subscription, 2);
    FakeSocket.last.receive({ type: 'message', channel: 'a', content: 1, seq: 5 });
    assert.equal(kept.complete, true);
    say(7);
    assert.deepEqual([seqs(kept), kept.complete], [[5, 7], false]);
    say(8);
    assert.deepEqual([seqs(kept), kept.complete], [[7, 8], true]);
    FakeSocket.last.receive({ type: 'subscribed', channel: 'a', seq: 0, epoch: 'e2', first: 1 });
    say(1);
    assert.deepEqual([seqs(kept), kept.complete], [[8, 1], false]);
  });

  it('goes on over a reconnect', () => {
    const kept = history(subscription);
    say(4);
    FakeSocket.last.end();
    time.pass(500);
    FakeSocket.last.welcome().receive({ type: 'subscribed', channel: 'a', seq: 6, epoch: 'e1', first: 1, recovered: true });
    say(5, 6);
    assert.deepEqual([seqs(kept), kept.complete], [[4, 5, 6], true]);
  });

  it('ends with the subscription, or with close(), and stays as it is', () => {
    const [kept, closed] = [history(subscription), history(subscription)];
    say(4);
    closed.close();
    say(5);
    subscription.close();
    assert.deepEqual([seqs(kept), seqs(closed)], [[4, 5], [4]]);
  });
});
