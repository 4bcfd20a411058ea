// @ts-check
/** The messages that the user sends, from their entry in the log to their fate. */

import { byteLength } from './names.js';
import { formatBytes } from './format.js';
import { errorWords } from './words.js';

/**
 * @typedef {import('../../client-ts/src/index.js').SwitchboardError} SwitchboardError
 * @typedef {import('../../client-ts/src/index.js').Switchboard} Switchboard
 * @typedef {import('./room.js').Room} Room
 */

const UNCONFIRMED_AFTER_MS = 10_000;

/**
 * A message of ours that the server has not answered yet.
 * @typedef {object} Pending
 * @property {Room} room
 * @property {HTMLElement} row
 * @property {string} text
 * @property {string} to whom it is whispered to; empty for the room
 * @property {number} timer
 * @property {AbortController} end
 * @property {boolean} again it was sent once more
 */

/**
 * What the outbox needs of the application.
 * @typedef {object} Surroundings
 * @property {() => string} me
 * @property {() => Switchboard | null} client
 * @property {() => boolean} isConnected
 * @property {(why: string) => void} refuse
 */

export class Outbox {
  /** The largest message that the server takes, in bytes. */
  maxBytes = Infinity;
  #around;
  /** Without an answer, oldest first. @type {Set<Pending>} */
  #pending = new Set();
  #pausedUntil = 0;

  /** @param {Surroundings} around */
  constructor(around) { this.#around = around; }

  clear() {
    for (const { timer } of this.#pending) clearTimeout(timer);
    this.#pending.clear();
    this.#pausedUntil = 0;
  }

  /** Whether messages to this room are without an answer. @param {Room} room */
  isWaiting(room) { return [...this.#pending].some((one) => one.room === room && !one.to); }

  /** The server takes nothing for so long. @param {number} ms */
  pause(ms) { this.#pausedUntil = Date.now() + ms; }

  /**
   * Why this cannot be sent now; empty if it can.
   * @param {Room} room
   * @param {string} text
   * @param {string} to
   */
  problem(room, text, to) {
    if (to === this.#around.me()) return 'That is you. Choose someone else to whisper to.';
    if (!this.#around.isConnected()) return 'You are not connected, so nothing was sent. Your text stays here.';
    if (room.refused && !to) return 'You are not in this room, so nothing was sent. Your text stays here.';
    const wait = this.#pausedUntil - Date.now();
    if (wait > 0) return `Too many messages too fast. Try again in ${Math.ceil(wait / 1000)} s.`;
    const bytes = byteLength(JSON.stringify({ type: 'message', channel: room.name, to, content: text, id: 2 ** 53 }));
    if (bytes > this.maxBytes) return `This is too long to send: ${formatBytes(bytes)}, and the server takes ${formatBytes(this.maxBytes)}.`;
    return '';
  }

  /** @param {Room} room @param {string} text @param {string} to whom; empty for the room */
  send(room, text, to) {
    const client = this.#around.client();
    if (!client) return;
    const row = room.log.message({ sender: this.#around.me(), own: true, whisper: to ? 'whisper to' : undefined, to, text });
    /** @type {Pending} */
    const pending = { room, row, text, to, timer: 0, end: new AbortController(), again: false };
    this.#pending.add(pending);
    this.#await(pending);
    room.log.fate(row, 'pending', 'Sending…');
    const { signal } = pending.end;
    const sent = to ? client.direct(to, text, { signal }) : client.publish(room.name, text, { signal });
    sent.then((n) => this.#acknowledged(pending, n), (error) => this.#notSent(pending, error));
  }

  /** Without a connection the client keeps it, and sends it again where the server can tell whether it has it. @param {Pending} pending */
  #await(pending) {
    pending.timer = setTimeout(() => {
      if (this.#around.isConnected()) this.#fail(pending, 'Not confirmed by the server yet.');
      else this.#await(pending);
    }, UNCONFIRMED_AFTER_MS);
  }

  /**
   * Also after it was given up on: a late answer still counts.
   * @param {Pending} pending
   * @param {number} n the number of a message; to how many a whisper was delivered
   */
  #acknowledged(pending, n) {
    this.#settle(pending);
    if (!pending.to) pending.room.sent(n);
    if (pending.again) return;
    const devices = pending.to && n > 1 ? ` to ${n} of their windows` : '';
    pending.room.log.fate(pending.row, 'sent', pending.to ? `Delivered${devices}` : 'Sent');
  }

  /** @param {Pending} pending @param {SwitchboardError} error */
  #notSent(pending, { code, frame }) {
    if (code === 'unconfirmed') return this.#fail(pending, 'Not confirmed: the connection ended first.');
    const ended = !frame && (code === 'not_connected' || code === 'stopped' || code === 'expired');
    this.#fail(pending, ended ? 'Not sent: the connection ended.' : `Not sent: ${errorWords(frame ?? { code })}.`);
  }

  /** @param {Pending} pending @param {string} words */
  #fail(pending, words) {
    if (!this.#pending.has(pending)) return;
    this.#settle(pending);
    pending.room.log.fate(pending.row, 'failed', words, () => {
      if (!this.#around.isConnected()) return this.#around.refuse('You are not connected yet.');
      pending.again = true;
      pending.end.abort();
      pending.room.log.remove(pending.row);
      this.send(pending.room, pending.text, pending.to);
    });
  }

  /** @param {Pending} pending */
  #settle(pending) {
    clearTimeout(pending.timer);
    this.#pending.delete(pending);
  }
}
