// @ts-check
/** What is said in one room, and what happened between, as entries for the screen. */

import { button, el, face, named } from './elements.js';
import { clock, dayOf, dayWords } from './format.js';
import { withLinks } from './links.js';

const MAX_ENTRIES = 500;
const FOLLOWS_WITHIN_MS = 3 * 60_000;
const COMINGS_LENGTH = 120;
/** The longest that an entry waits where no frame is drawn, as in a hidden tab. */
const UNDRAWN_MS = 100;

/**
 * @typedef {object} Entry
 * @property {string} sender
 * @property {boolean} own
 * @property {string} [whisper] what to say of a whisper: "whispers to you"
 * @property {string} [to] whom it is whispered to
 * @property {string} text
 * @property {boolean} [isData]
 * @property {number | null} [at] when it was sent, in terms of `Date.now()`; `null` if nobody can say
 * @property {string} [when] what to say in place of the time
 * @property {() => void} [onReply]
 */

/** The newest 500 entries of a room. They go into the page once per frame, so that a frame has one layout, however many arrive. */
export class Log {
  /** The element that holds them. */
  entries = el('div', 'entries');
  /** Called within the frame that draws new entries; whether an own one is among them. @type {(own: boolean) => void} */
  onGrow = () => {};
  /** For the next frame. @type {HTMLElement[]} */
  #waiting = [];
  #ownWaits = false;
  /** Own messages that arrived at the server since the last frame. @type {HTMLElement[]} */
  #sent = [];
  #frame = 0;
  #timer = 0;
  /** The newest entry, and what it is, to join those of one sender. @type {HTMLElement | null} */
  #last = null;
  /** @type {{key: string, at: number | null}} */
  #tail = { key: '', at: 0 };
  #day = dayOf(Date.now());
  /** @type {HTMLElement | null} */
  #divider = null;

  get isEmpty() { return this.#last === null; }

  /** @param {Entry} entry */
  message({ sender, own, whisper, to, text, isData, at = Date.now(), when, onReply }) {
    if (at !== null) this.#newDay(at);
    const key = JSON.stringify([sender, own, whisper ?? '', to ?? '', when ?? '']);
    const soon = at === null ? this.#tail.at === null : this.#tail.at !== null && at - this.#tail.at < FOLLOWS_WITHIN_MS;
    const follows = key === this.#tail.key && soon;
    this.#tail = { key, at };

    const head = el('p', 'entry-head', el('b', '', own ? 'You' : named(sender)), ' ');
    if (whisper) head.append(el('span', 'whisper-mark', whisper, ...(to ? [' ', named(to)] : [])), ' ');
    if (at !== null) head.append(time(at));
    else if (when) head.append(when);
    if (onReply) head.append(' ', button('link-button', 'Reply', onReply));
    const bubble = el('div', isData ? 'bubble is-data' : 'bubble', ...(isData ? [text] : withLinks(text)));
    bubble.dir = 'auto';
    const classes = ['entry', own && 'own', whisper && 'whisper', follows && 'follows'].filter(Boolean).join(' ');
    const row = el('div', classes, face(sender), el('div', 'entry-body', head, bubble));
    this.#append(row, own);
    return row;
  }

  /**
   * A line of the page's own.
   * @param {string | (Node | string)[]} what
   * @param {'plain' | 'comings' | 'gap' | 'problem' | 'day' | 'divider'} [kind]
   */
  notice(what, kind = 'plain') {
    const row = el('p', `notice ${kind}`, ...[what].flat());
    this.#tail.key = '';
    this.#append(row, false);
    return row;
  }

  /** Who came or went. Several in a row share a line. @param {(Node | string)[]} what */
  comings(what) {
    const last = this.#last;
    if (last?.classList.contains('comings') && (last.textContent?.length ?? 0) <= COMINGS_LENGTH) last.append(' ', ...what);
    else this.notice(what, 'comings');
  }

  /** The line between what the user has seen and what is new; there is one at most. @param {string} words */
  divide(words) {
    if (this.#divider && this.#divider === this.#last) return;
    if (this.#divider) this.remove(this.#divider);
    this.#divider = this.notice(words, 'divider');
  }

  /**
   * Shows how an own message fares.
   * @param {HTMLElement} row
   * @param {'pending' | 'sent' | 'failed'} fate
   * @param {string} words
   * @param {() => void} [again]
   */
  fate(row, fate, words, again) {
    row.classList.remove('pending', 'sent', 'failed');
    row.classList.add(fate);
    if (fate === 'sent') this.#sent.push(row);
    const line = row.querySelector('.delivery') ?? el('p', 'delivery');
    line.replaceChildren(words);
    if (again) line.append(' ', button('link-button', 'Send again', again));
    row.querySelector('.entry-body')?.append(line);
    this.#frame ||= requestAnimationFrame(() => this.#show());
  }

  /** @param {HTMLElement} row */
  remove(row) {
    this.#waiting = this.#waiting.filter((one) => one !== row);
    row.remove();
    if (row !== this.#last) return;
    this.#last = /** @type {HTMLElement | null} */ (this.#waiting.at(-1) ?? this.entries.lastElementChild);
    this.#tail.key = '';
  }

  /** A line where another day begins. @param {number} at */
  #newDay(at) {
    const day = dayOf(at);
    if (day === this.#day) return;
    this.#day = day;
    this.notice(dayWords(at), 'day');
  }

  /** @param {HTMLElement} row @param {boolean} own */
  #append(row, own) {
    this.#last = row;
    this.#waiting.push(row);
    if (this.#waiting.length > MAX_ENTRIES) this.#waiting.shift();
    this.#ownWaits ||= own;
    this.#frame ||= requestAnimationFrame(() => this.#show());
    this.#timer ||= setTimeout(() => this.#add(), UNDRAWN_MS);
  }

  #add() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.entries.append(...this.#waiting.splice(0));
    while (this.entries.childElementCount > MAX_ENTRIES) this.entries.firstElementChild?.remove();
  }

  #show() {
    this.#frame = 0;
    this.#add();
    for (const row of this.#sent.splice(0)) {
      hush(row.previousElementSibling, row);
      hush(row, row.nextElementSibling);
    }
    const own = this.#ownWaits;
    this.#ownWaits = false;
    this.onGrow(own);
  }
}

/** Of own messages in a row, only the last says that it was sent. @param {Element | null} row @param {Element | null} next */
function hush(row, next) {
  if (row?.matches('.own.sent') && next?.matches('.own.sent')) row.classList.add('quiet');
}

/** @param {number} at */
function time(at) {
  const made = el('time', '', clock.format(at));
  made.setAttribute('datetime', new Date(at).toISOString());
  made.title = `${dayWords(at)}, ${clock.format(at)}`;
  return made;
}
