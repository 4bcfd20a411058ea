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
  #allowance = Infinity;

  constructor(server) {
    this.socket = new WebSocket(`ws://${server.host}/ws/prices`, { perMessageDeflate: false });
    this.socket.on('message', (data) => {
      this.#allowance -= data.length;
      if (this.#allowance < 0) this.socket.pause();
      const found = /"key":"(S\d+)".*"update":(\d+)/.exec(data.toString());
      if (!found) return;
      const [, key, update] = found;
      this.received += 1;
      if (!(Number(update) > (this.updates.get(key) ?? 0))) this.backwards += 1;
      this.updates.set(key, Number(update));
    });
    this.socket.on('close', (code) => (this.closed = code));
  }

  /** Lets it read this many bytes more. What came in one read of the socket is taken as a whole. */
  allow(bytes) {
    const before = Number.isFinite(this.#allowance) ? Math.min(this.#allowance, 0) : 0;
    this.#allowance = before + bytes;
    if (this.#allowance > 0) this.socket.resume();
  }

  /** Whether it has a price of each symbol that is at least as recent as this update. */
  isAsRecentAs(update) {
    return this.updates.size === SYMBOLS && [...this.updates.values()].every((it) => it >= update);
  }

  get newest() {
    return Math.max(0, ...this.updates.values());
  }
}

test('readers at 20 kB/s skip what was overwritten, and 500 of them stay connected', async (t) => {
  const server = await program(t, 'ticker', '127.0.0.1:0');
  const fast = new Reader(server);
  const slow = [];
  // A server takes so many handshakes of one address at once.
  while (slow.length < 500) {
    const some = Array.from({ length: 20 }, () => new Reader(server));
    for (const reader of some) reader.socket.on('open', () => reader.allow(4_000));
    await until(() => some.every(({ socket }) => socket.readyState === WebSocket.OPEN), 'twenty readers more', 60_000);
    slow.push(...some);
  }
  const meter = setInterval(() => {
    for (const reader of slow) {
      if (reader.socket.readyState !== WebSocket.OPEN) continue;
      // Their kernels hold seconds of what they read, and so the server's pings, too.
      reader.socket.ping();
      reader.allow(4_000);
    }
  }, 200);
  t.after(() => clearInterval(meter));
  await until(() => slow.every((it) => it.updates.size === SYMBOLS), 'a price of each symbol for all', 60_000);
  const [from, heard] = [fast.newest, fast.received];
  await until(() => fast.newest >= from + 8_000, 'the prices to change many times', 60_000);
  assert.equal(fast.received - heard, fast.newest - from, 'a reader that keeps up gets each update');
  // A round of updates has one for each symbol.
  const recent = fast.newest - SYMBOLS;
  let skipped = 0;
  for (const reader of slow) {
    await until(() => reader.isAsRecentAs(recent) || reader.closed, 'recent prices', 60_000);
    assert.equal(reader.closed, null);
    assert.equal(reader.backwards, 0);
    skipped += reader.newest - reader.received;
    reader.socket.terminate();
  }
  assert.ok(skipped > 500 * SYMBOLS, `${skipped} updates skipped`);
  server.child.kill('SIGINT');
  assert.deepEqual(await server.exited, { code: 0, signal: null });
});
