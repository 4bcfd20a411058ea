// Prices by symbol, for readers of any speed.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import WebSocket from 'ws';
import { until } from '../node/wait.mjs';
import { program } from './program.mjs';

const SYMBOLS = 500;

/** A reader of the latest price of each symbol. */
class Reader {
  /** The number of the last update of each symbol. */
  updates = new Map();
  received = 0;
  backwards = 0;
  closed = null;

  constructor(server) {
    this.socket = new WebSocket(`ws://${server.host}/ws/prices`, { perMessageDeflate: false });
    this.socket.on('message', (data) => {
      const found = /"key":"(S\d+)".*"update":(\d+)/.exec(data.toString());
      if (!found) return;
      const [, key, update] = found;
      this.received += 1;
      if (!(Number(update) > (this.updates.get(key) ?? 0))) this.backwards += 1;
      this.updates.set(key, Number(update));
    });
    this.socket.on('close', (code) => (this.closed = code));
  }

  /** Whether it has a price of each symbol that is at least as recent as this update. */
  isAsRecentAs(update) {
    return this.updates.size === SYMBOLS && [...this.updates.values()].every((it) => it >= update);
  }

  get newest() {
    return Math.max(0, ...this.updates.values());
  }
}

test('a reader that pauses skips what was overwritten, and 500 of them stay connected', async (t) => {
  const server = await program(t, 'ticker', '127.0.0.1:0');
  const fast = new Reader(server);
  await until(() => fast.updates.size === SYMBOLS, 'a price of each symbol');
  const slow = Array.from({ length: 500 }, () => new Reader(server));
  await until(() => slow.every((it) => it.updates.size === SYMBOLS), 'a price of each symbol for all', 60_000);
  for (const reader of slow) {
    reader.socket.pause();
    reader.before = { received: reader.received, newest: reader.newest };
  }
  // More than what the sockets of a reader hold: about 120 bytes each.
  const [from, heard] = [fast.newest, fast.received];
  await until(() => fast.newest > from + 12_000, 'the prices to change many times', 60_000);
  const now = fast.newest;
  // A round of updates has one for each symbol.
  for (const reader of slow) reader.socket.resume();
  await until(() => slow.every((it) => it.isAsRecentAs(now - SYMBOLS)), 'recent prices for all', 60_000);
  assert.ok(fast.received - heard >= 12_000, 'who reads gets each update');
  for (const reader of slow) {
    assert.equal(reader.closed, null);
    assert.equal(reader.backwards, 0);
    const [received, passed] = [reader.received - reader.before.received, reader.newest - reader.before.newest];
    assert.ok(received < passed, `skipped some of ${passed}`);
  }
  for (const reader of slow) reader.socket.terminate();
  server.child.kill('SIGINT');
  assert.deepEqual(await server.exited, { code: 0, signal: null });
});
