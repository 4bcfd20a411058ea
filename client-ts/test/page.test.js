// Events of the page and of the network.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { Switchboard } from '../dist/index.js';
import { FakeSocket, fakeTime } from './fakes.js';

let time;
beforeEach(() => { time = fakeTime(); });
afterEach(() => time.end());

const make = (options = {}) => new Switchboard('ws://host/ws', { webSocket: FakeSocket, seed: 1, ...options });

describe('the page', () => {
  let target;
  const fire = (on, type, more = {}) => on.dispatchEvent(Object.assign(new Event(type), more));
  beforeEach(() => {
    target = new EventTarget();
    globalThis.addEventListener = target.addEventListener.bind(target);
    globalThis.document = Object.assign(new EventTarget(), { visibilityState: 'visible' });
  });
  afterEach(() => {
    delete globalThis.addEventListener;
    delete globalThis.document;
  });

  for (const [name, act] of [
    ['online', () => fire(target, 'online')], ['visible', () => fire(document, 'visibilitychange')],
    ['resumed', () => fire(document, 'resume')], ['shown again', () => fire(target, 'pageshow', { persisted: true })],
  ]) {
    it(`${name} while waiting: connects now; while open: asks`, () => {
      make();
      FakeSocket.last.end();
      act();
      assert.equal(FakeSocket.all.length, 2);
      FakeSocket.last.welcome();
      act();
      assert.equal(FakeSocket.last.take()[0].type, 'ping');
    });
  }

  it('hidden: nothing', () => {
    make();
    FakeSocket.last.end();
    document.visibilityState = 'hidden';
    fire(document, 'visibilitychange');
    assert.equal(FakeSocket.all.length, 1);
  });

  it('offline: waits for the network', () => {
    const client = make();
    FakeSocket.last.end();
    fire(target, 'offline');
    assert.equal(client.state.why, 'offline');
    fire(target, 'online');
    assert.equal(FakeSocket.all.length, 2);
  });

  it('put away: no socket is left open; closed for good it is left alone', () => {
    const client = make();
    FakeSocket.last.welcome();
    fire(target, 'pagehide', { persisted: false });
    assert.equal(FakeSocket.last.closed, null);
    fire(target, 'pagehide', { persisted: true });
    assert.deepEqual(FakeSocket.last.closed, { code: 1000, reason: 'bfcache' });
    assert.equal(client.state.until, null);
    fire(target, 'pageshow', { persisted: true });
    assert.equal(FakeSocket.all.length, 2);
  });

  it('is not listened to once stopped, and is again after a new start', () => {
    const client = make();
    client.close();
    client.connect();
    FakeSocket.last.end();
    fire(target, 'online');
    assert.equal(FakeSocket.all.length, 3);
  });
});
