// @ts-check
/** Who is in a room, as far as the server tells. */

import { isName, list } from './names.js';

/** @typedef {import('../../client-ts/src/index.js').Frame} Frame */

const NAMES_KEPT = 1_000;

/** Who is in the room, as far as the server tells: all names up to fifty, changes above. */
export class Presence {
  /** @type {Set<string>} */ names = new Set();
  /** @type {number | null} */ count = null;

  clear() {
    this.names = new Set();
    this.count = null;
  }

  /** Whether the names are all there are. */
  get complete() { return this.count !== null && this.names.size === this.count; }

  /**
   * @param {Frame} frame
   * @returns {{joined: string[], left: string[]}} what changed, where that can be told
   */
  apply(frame) {
    const first = this.count === null;
    if (Number.isFinite(frame.count)) this.count = frame.count;
    if (Array.isArray(frame.users)) {
      const before = this.names;
      this.names = new Set(frame.users.filter(isName).slice(0, NAMES_KEPT));
      if (first) return { joined: [], left: [] };
      return {
        joined: [...this.names].filter((name) => !before.has(name)),
        left: [...before].filter((name) => !this.names.has(name)),
      };
    }
    const joined = list(frame.joined).filter((name) => !this.names.has(name));
    const left = list(frame.left);
    for (const name of left) this.names.delete(name);
    for (const name of joined) if (this.names.size < NAMES_KEPT) this.names.add(name);
    return first ? { joined: [], left: [] } : { joined, left };
  }
}
