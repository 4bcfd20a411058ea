// @ts-check
/** What this browser remembers. Storage may be forbidden: then nothing is remembered. */

/** @param {() => Storage} storage */
function kept(storage) {
  return {
    /** @param {string} key */
    get(key) { try { return storage().getItem(`switchboard.${key}`) ?? ''; } catch { return ''; } },
    /** @param {string} key @param {string} value */
    set(key, value) {
      try {
        if (value) storage().setItem(`switchboard.${key}`, value);
        else storage().removeItem(`switchboard.${key}`);
      } catch { /* nothing is remembered then */ }
    },
  };
}

/** For all windows, and for ever. */
export const memory = kept(() => localStorage);
/** For this window. */
const session = kept(() => sessionStorage);

/** The pairs of a JSON array, the oldest first. @param {string} text @returns {[string, any][]} */
function pairs(text) {
  try {
    const read = JSON.parse(text);
    return Array.isArray(read) ? read.filter((one) => Array.isArray(one) && typeof one[0] === 'string') : [];
  } catch {
    return [];
  }
}

/** The rooms that this window is in, so that a reload goes on there; a second window does not. */
export const visit = {
  /** @param {Iterable<string>} rooms none: it is in no room */
  remember(rooms) {
    const all = [...rooms].map((room) => [room]);
    session.set('visit', all.length ? JSON.stringify(all) : '');
  },
  /** Those of before the reload, if this is one. @returns {string[]} */
  reloaded() {
    const [navigation] = /** @type {PerformanceNavigationTiming[]} */ (performance.getEntriesByType('navigation'));
    return navigation?.type === 'reload' ? pairs(session.get('visit')).map(([room]) => room) : [];
  },
};

const MAX_DRAFTS = 20;

/** What was written in each room and not sent. */
export const drafts = {
  /** @param {string} room @returns {string} */
  get(room) {
    const text = new Map(pairs(session.get('drafts'))).get(room);
    return typeof text === 'string' ? text : '';
  },
  /** @param {string} room @param {string} text */
  set(room, text) {
    const all = new Map(pairs(session.get('drafts')));
    all.delete(room);
    if (text) all.set(room, text);
    session.set('drafts', all.size ? JSON.stringify([...all].slice(-MAX_DRAFTS)) : '');
  },
};

const MAX_SEEN = 100;
const WRITTEN_EVERY_MS = 1_000;

/**
 * Up to where each user of this browser has seen each room.
 * @typedef {{epoch: string, seq: number}} Position
 */
class Seen {
  /** @type {Map<string, Position>} */
  #news = new Map();
  #timer = 0;

  constructor() { addEventListener('pagehide', () => this.#write()); }

  /** @param {string} user @param {string} room @returns {Position | undefined} */
  get(user, room) {
    const key = JSON.stringify([user, room]);
    const found = this.#news.get(key) ?? new Map(pairs(memory.get('seen'))).get(key);
    return typeof found?.epoch === 'string' && Number.isSafeInteger(found.seq) ? found : undefined;
  }

  /** @param {string} user @param {string} room @param {Position} position */
  set(user, room, position) {
    this.#news.set(JSON.stringify([user, room]), { epoch: position.epoch, seq: position.seq });
    this.#timer ||= setTimeout(() => this.#write(), WRITTEN_EVERY_MS);
  }

  #write() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    if (!this.#news.size) return;
    const all = new Map(pairs(memory.get('seen')));
    for (const [key, position] of this.#news) {
      all.delete(key);
      all.set(key, position);
    }
    this.#news.clear();
    memory.set('seen', JSON.stringify([...all].slice(-MAX_SEEN)));
  }
}

export const seen = new Seen();
