// A network between a client and a server, with the faults that a test chooses.

import net from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

/** A network in front of a server; it is gone after the test. */
export async function network(t, server) {
  const between = new Network(server.port);
  await between.opened;
  t.after(() => between.close());
  return between;
}

/** What happens to the bytes of one direction. */
class Way {
  /** Milliseconds until they arrive. */
  delay = 0;
  /** How many arrive at a time, every millisecond; 0: all. */
  trickle = 0;
  /** How many more arrive before the connection is reset. */
  left = Infinity;
  #blocked = false;
  #wakes = [];

  /** Nothing arrives from now on; what is sent meanwhile arrives afterwards, as TCP would send it again. */
  block() {
    this.#blocked = true;
  }

  heal() {
    Object.assign(this, { delay: 0, trickle: 0, left: Infinity });
    this.#blocked = false;
    for (const wake of this.#wakes.splice(0)) wake();
  }

  async open() {
    while (this.#blocked) await new Promise((wake) => this.#wakes.push(wake));
  }
}

const END = Symbol('the end of a direction');

class Network {
  /** From the client to the server, and back. */
  up = new Way();
  down = new Way();
  /** Whether it takes new connections. */
  accepts = true;
  /** How many connections it has taken. */
  taken = 0;
  #pairs = new Set();

  constructor(port) {
    this.listener = net.createServer({ allowHalfOpen: true }, (client) => this.#take(client, port));
    this.opened = new Promise((resolve) => {
      this.listener.listen(0, '127.0.0.1', () => {
        this.port = this.listener.address().port;
        this.host = `127.0.0.1:${this.port}`;
        resolve();
      });
    });
  }

  /** Nothing comes through, either way, and no connection is taken. */
  cut() {
    this.accepts = false;
    this.up.block();
    this.down.block();
  }

  heal() {
    this.accepts = true;
    this.up.heal();
    this.down.heal();
  }

  /** All connections are reset. */
  reset() {
    for (const pair of this.#pairs) this.#drop(pair);
  }

  /** The client is told that nothing more comes; the other direction stays open. */
  halfClose() {
    for (const [client] of this.#pairs) client.end();
  }

  close() {
    this.reset();
    this.listener.close();
  }

  #take(client, port) {
    if (!this.accepts) {
      client.on('error', () => {});
      return client.resetAndDestroy();
    }
    this.taken += 1;
    const server = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    const pair = [client, server];
    this.#pairs.add(pair);
    for (const socket of pair) {
      socket.setNoDelay(true).on('error', () => {});
      socket.on('close', () => this.#drop(pair));
    }
    this.#carry(client, server, this.up, pair);
    this.#carry(server, client, this.down, pair);
  }

  async #carry(from, to, way, pair) {
    const held = [];
    let wake;
    const hold = (item) => {
      held.push(item);
      wake?.();
    };
    from.on('data', hold).on('end', () => hold(END)).on('close', () => wake?.());
    while (this.#pairs.has(pair)) {
      if (!held.length) {
        await new Promise((resolve) => (wake = resolve));
        continue;
      }
      if (way.delay) await pause(way.delay);
      await way.open();
      const item = held.shift();
      if (item === END) to.end();
      else await this.#deliver(item, to, way, pair);
    }
  }

  async #deliver(bytes, to, way, pair) {
    const size = way.trickle || bytes.length;
    for (let at = 0; at < bytes.length; at += size) {
      await way.open();
      const piece = bytes.subarray(at, Math.min(at + size, at + way.left));
      way.left -= piece.length;
      if (piece.length) to.write(piece);
      if (way.left <= 0) return this.#drop(pair);
      if (way.trickle) await pause(1);
    }
  }

  #drop(pair) {
    if (!this.#pairs.delete(pair)) return;
    for (const socket of pair) {
      // Node cannot reset a socket whose end is being sent, and then never closes it.
      if (socket.writableEnded || socket.connecting) socket.destroy();
      else if (!socket.destroyed) socket.resetAndDestroy();
    }
  }
}
