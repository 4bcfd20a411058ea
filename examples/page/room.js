// @ts-check
/** A room that the user is in, or wants to be in: what it says goes to its log. */

import { nameList } from './elements.js';
import { formatSpan, plural } from './format.js';
import { Log } from './log.js';
import { seen } from './memory.js';
import { isName } from './names.js';
import { TypingNotice, Typists, typingOf } from './typing.js';

/**
 * @typedef {import('../../client-ts/src/index.js').Frame} Frame
 * @typedef {import('../../client-ts/src/index.js').Gap} Gap
 * @typedef {import('../../client-ts/src/index.js').Message} Message
 * @typedef {import('../../client-ts/src/index.js').Presence} Presence
 * @typedef {import('../../client-ts/src/index.js').Subscribed} Subscribed
 * @typedef {import('../../client-ts/src/index.js').Subscription} Subscription
 * @typedef {import('../../client-ts/src/index.js').Switchboard} Switchboard
 * @typedef {import('./memory.js').Position} Position
 */

const PRESENCE_EXPECTED_MS = 2_000;
/** How many messages are asked for where the user has been before: as many as a server may keep. */
const MOST_MISSED = 1_000;
/** After a shorter absence, what was missed is as good as of now. */
const SHORT_MS = 60_000;
const NEW = 'New since you were here';

/**
 * What a room needs of the application.
 * @typedef {object} Surroundings
 * @property {() => string} me
 * @property {(room: Room) => boolean} isWatched whether the user sees the room
 * @property {(room: Room) => boolean} isWaiting whether messages of the user are without an answer
 * @property {(room: Room) => void} onEntry the user is in the room, or is shut out
 * @property {(room: Room) => void} onPeople
 * @property {(room: Room) => void} onTyping
 * @property {(room: Room) => void} onUnread
 */

export class Room {
  log = new Log();
  typists = new Typists(() => this.#around.onTyping(this));
  /** How many messages have come that the user has not seen. */
  unread = 0;
  /** Why the server does not let us in. @type {Frame | null} */
  refused = null;
  /** Who is here; while we are not in the room, who was. @type {Presence | null} */
  people = null;
  isIn = false;
  /** The server has not told who is here. */
  withoutPresence = false;
  #around;
  /** @type {Switchboard | null} */ #client = null;
  /** @type {Subscription | null} */ #subscription = null;
  #typing = new TypingNotice((typing) => this.#tell({ typing }));
  #presenceTimer = 0;
  #everIn = false;
  #lostAt = 0;
  /** Up to where everything has come, or is known to be lost. @type {Position} */
  #place = { epoch: '', seq: 0 };
  /** Messages up to this number were sent before we came in; and what to say in place of their time, if it is not about now. */
  #earlierUntil = 0;
  #earlier = '';
  /** Up to where the user had seen everything at the last visit, until something newer comes. @type {Position | undefined} */
  #before;
  /** Whether what came at this visit begins at or before that. */
  #overlaps = false;

  /** @param {string} name @param {Surroundings} around */
  constructor(name, around) {
    this.name = name;
    this.#around = around;
  }

  get isOpen() { return this.#subscription !== null; }

  /** @param {Switchboard} client */
  open(client) {
    this.#client = client;
    this.refused = null;
    this.#subscription?.close();
    const known = seen.get(this.#around.me(), this.name);
    const room = this.#subscription = client.subscribe(this.name, this.#everIn ? { since: this.#place } : { last: known && MOST_MISSED });
    /** @type {<T>(what: (event: T) => void) => (event: T) => void} */
    const here = (what) => (event) => { if (this.#subscription === room) what(event); };
    room.on('subscribed', here((frame) => this.#entered(frame)));
    room.on('presence', here((frame) => this.#presenceChanged(room.presence, frame)));
    room.on('message', here((frame) => this.#message(frame)));
    room.on('gap', here((gap) => this.#missed(gap)));
    room.on('epoch', here(() => this.log.notice('The room was started anew: what may have been said meanwhile cannot be recovered.', 'gap')));
    room.on('unanswered', here(() => this.log.notice('The server has not yet said whether you are in this room.', 'problem')));
    room.on('refused', here(({ frame }) => this.shutOut(frame)));
  }

  close() {
    this.#subscription?.close();
    this.#subscription = null;
    clearTimeout(this.#presenceTimer);
    this.typists.clear();
  }

  /** The server does not let us in, or no longer. @param {Frame} frame */
  shutOut(frame) {
    this.refused = frame;
    this.isIn = false;
    this.#around.onEntry(this);
  }

  /** The connection ended. @param {string} words how; empty where that is not worth a line */
  lose(words) {
    if (this.isIn) this.#lostAt = Date.now();
    this.isIn = false;
    clearTimeout(this.#presenceTimer);
    this.typists.clear();
    if (words) this.log.notice(words);
  }

  /** @param {boolean} isWhole whether the server has the others of its cluster */
  tellCluster(isWhole) {
    if (isWhole) this.log.notice('This server has found the others again.');
    else this.log.notice('This server has lost the others: only those who are connected to it hear you, and you only them.', 'gap');
  }

  /** @param {boolean} typing */
  tellTyping(typing) { if (this.isIn) this.#typing.set(typing, this.people?.count ?? 0); }

  /** An own message has this number. @param {number} seq */
  sent(seq) { this.#reach(seq); }

  /** The user sees the room. */
  markSeen() {
    this.unread = 0;
    if (this.#place.epoch) seen.set(this.#around.me(), this.name, this.#place);
  }

  /** Counts a message that has come, where the user does not see it. */
  count() {
    if (this.#around.isWatched(this)) return;
    if (this.unread === 0) this.log.divide(NEW);
    this.unread += 1;
    this.#around.onUnread(this);
  }

  /** @param {unknown} content @returns {Promise<number>} */
  async #tell(content) {
    const number = await this.#client?.publish(this.name, content, { volatile: true }) ?? 0;
    this.#reach(number);
    return number;
  }

  // What the server says

  /** @param {Subscribed} frame */
  #entered({ epoch, seq, first, recovered }) {
    const wasIn = this.isIn;
    this.isIn = true;
    this.refused = null;
    this.#earlierUntil = first === undefined ? 0 : seq;
    if (wasIn) this.#moved({ epoch, seq }, recovered === true);
    else if (this.#everIn) this.#enteredAgain({ epoch, seq }, recovered === true);
    else this.#enteredFirst({ epoch, seq }, first !== undefined && first <= seq);
    this.#everIn = true;
    if (wasIn) return;
    clearTimeout(this.#presenceTimer);
    this.withoutPresence = false;
    this.#presenceTimer = setTimeout(() => { this.withoutPresence = true; this.#around.onPeople(this); }, PRESENCE_EXPECTED_MS);
    this.#around.onEntry(this);
  }

  /** @param {Position} place @param {boolean} isKept whether messages follow */
  #enteredFirst(place, isKept) {
    this.#earlier = 'earlier';
    this.#place = place;
    const known = seen.get(this.#around.me(), this.name);
    if (!known) return;
    if (known.epoch !== place.epoch) this.log.notice('The room was started anew since you were here: what was said in between cannot be recovered.', 'gap');
    else if (isKept) this.#place = this.#before = known;
    else this.#missedSince(place.seq - known.seq);
  }

  /** The server goes on at another position. @param {Position} place @param {boolean} isRecovered */
  #moved(place, isRecovered) {
    this.#earlier = '';
    if (!isRecovered) this.#place = place;
  }

  /** @param {Position} place @param {boolean} isRecovered */
  #enteredAgain(place, isRecovered) {
    const away = this.#lostAt ? Date.now() - this.#lostAt : 0;
    this.#earlier = away < SHORT_MS ? '' : 'while you were away';
    const after = away ? ` after ${formatSpan(Math.max(1, away / 1000))}` : '';
    let rest = '.';
    if (isRecovered && !this.#around.isWaiting(this)) rest = place.seq > this.#place.seq ? '. What was said meanwhile follows.' : '. You missed nothing.';
    this.log.notice(`Connected again${after}${rest}`);
    if (!isRecovered) this.#place = place;
  }

  /** @param {Presence | null} people @param {Frame} frame */
  #presenceChanged(people, frame) {
    clearTimeout(this.#presenceTimer);
    this.withoutPresence = false;
    const before = this.isIn && this.#lostAt === 0 ? this.people : null;
    this.#lostAt = 0;
    this.people = people;
    this.#around.onPeople(this);
    if (!before || !people) return;
    const were = new Set(before.users);
    const are = new Set(people.users);
    const joined = people.users.filter((name) => !were.has(name) && name !== this.#around.me());
    const left = frame.users || frame.left ? before.users.filter((name) => !are.has(name)) : [];
    for (const name of left) this.typists.hear(name, false);
    if (joined.length) this.log.comings([...nameList(joined), ' joined.']);
    if (left.length) this.log.comings([...nameList(left), ' left.']);
  }

  /** @param {Message} message */
  #message({ sender, content, seq, time }) {
    const name = isName(sender) ? sender : 'The server';
    const own = name === this.#around.me();
    const typing = typingOf(content);
    if (!own) this.typists.hear(name, typing === true);
    if (typing !== undefined) return this.#reach(seq ?? 0);
    const isEarlier = seq !== undefined && seq <= this.#earlierUntil;
    const isNew = this.#isNew(seq, isEarlier);
    this.#reach(seq ?? 0);
    if (isNew && !own) this.count();
    const at = time ?? (isEarlier && this.#earlier ? null : Date.now());
    const row = this.log.message({ sender: name, own, ...readable(content), at, when: this.#earlier });
    if (own && !isEarlier) this.log.fate(row, 'sent', 'From another window of yours');
  }

  /**
   * Whether the user has not seen this message at an earlier visit. Before the first such one the log says so, and what is gone before it.
   * @param {number | undefined} seq
   * @param {boolean} isEarlier
   */
  #isNew(seq, isEarlier) {
    if (!isEarlier || seq === undefined) {
      this.#before = undefined;
      return true;
    }
    const before = this.#before;
    if (!before) return this.#earlier !== 'earlier';
    if (seq <= before.seq) {
      this.#overlaps = true;
      return false;
    }
    this.#before = undefined;
    if (!this.#overlaps) this.#missedSince(seq - before.seq - 1);
    this.#earlier = 'since you were here';
    this.log.divide(NEW);
    return true;
  }

  /** @param {number} count how many are gone */
  #missedSince(count) {
    if (count > 0) this.log.notice(`${were(count)} sent since you were here and cannot be recovered.`, 'gap');
  }

  /** @param {Gap} gap */
  #missed({ from, to, away }) {
    const count = to - from + 1;
    this.#reach(to);
    const own = away && this.#around.isWaiting(this) ? ' Your own unconfirmed ones may be among them.' : '';
    this.log.notice(`${were(count)} ${away ? 'sent while you were away' : 'not delivered to you'} and cannot be recovered.${own}`, 'gap');
  }

  /** @param {number} seq */
  #reach(seq) {
    if (seq > this.#place.seq) this.#place.seq = seq;
    if (this.#around.isWatched(this)) this.markSeen();
  }
}

/** @param {number} count */
function were(count) { return `${plural(count, 'message')} ${count === 1 ? 'was' : 'were'}`; }

/**
 * A message's content as text. Other clients may send any JSON.
 * @param {unknown} content
 */
export function readable(content) {
  if (typeof content === 'string') return { text: content, isData: false };
  const text = /** @type {any} */ (content)?.text;
  if (typeof text === 'string') return { text, isData: false };
  return { text: JSON.stringify(content, null, 2) ?? '', isData: true };
}
