// @ts-check
/** The conversation on the screen. */

import { $, button, el, face, setText } from './elements.js';
import { clock } from './format.js';
import { printable } from './names.js';

const MAX_ENTRIES = 500;
const FOLLOWS_WITHIN_MS = 3 * 60_000;
const COMINGS_LENGTH = 120;

/** The messages, and what happened between them. Keeps the newest 500. */
export class Log {
  #box = $('log');
  #empty = $('log-empty');
  #toBottom = $('to-bottom');
  /** What the newest entry is, to join those of one sender. */
  #tail = { key: '', at: 0 };
  /** Whether the newest entry is to stay in view: until the user scrolls up. */
  #pinned = true;
  /** Where the box was scrolled to last. */
  #top = 0;
  /** The frame that will scroll, or 0: all entries of a frame share one layout. */
  #scrolling = 0;

  constructor() {
    this.#toBottom.addEventListener('click', () => { this.#scrollDown(); this.#box.focus(); });
    this.#box.addEventListener('scroll', () => {
      const { scrollTop, scrollHeight, clientHeight } = this.#box;
      // Entries that arrived since move the bottom away, not the user: only scrolling up unpins.
      if (scrollHeight - scrollTop - clientHeight < 60) this.#pinned = true;
      else if (scrollTop < this.#top) this.#pinned = false;
      this.#top = scrollTop;
      if (this.#pinned) this.#toBottom.hidden = true;
    }, { passive: true });
    new ResizeObserver(() => { if (this.#pinned) this.#scrollDown(); }).observe(this.#box);
  }

  clear() {
    this.#box.replaceChildren(this.#empty);
    this.#scrollDown();
    this.#tail = { key: '', at: 0 };
  }

  /**
   * @typedef {object} Entry
   * @property {string} sender
   * @property {boolean} own
   * @property {string} [whisper] what to say of a whisper: "whispers to you"
   * @property {string} text
   * @property {boolean} [isData]
   * @property {() => void} [onReply]
   * @param {Entry} entry
   */
  message({ sender, own, whisper, text, isData, onReply }) {
    const now = Date.now();
    const key = JSON.stringify([sender, own, whisper ?? '']);
    const follows = key === this.#tail.key && now - this.#tail.at < FOLLOWS_WITHIN_MS;
    this.#tail = { key, at: now };

    const time = el('time', '', clock.format(now));
    time.setAttribute('datetime', new Date(now).toISOString());
    const head = el('p', 'entry-head', el('b', '', own ? 'You' : printable(sender)), ' ');
    if (whisper) head.append(el('span', 'whisper-mark', whisper), ' ');
    head.append(time);
    if (onReply) head.append(' ', button('link-button', 'Reply', onReply));
    const body = el('div', 'entry-body', head, el('div', isData ? 'bubble is-data' : 'bubble', text));
    const classes = ['entry', own && 'own', whisper && 'whisper', follows && 'follows'].filter(Boolean).join(' ');
    const row = el('div', classes, face(sender), body);
    this.#append(row, own);
    return row;
  }

  /**
   * A line of the page's own.
   * @param {string} text
   * @param {'plain' | 'comings' | 'gap' | 'problem'} [kind]
   * @param {Node | null} [before] the entry it belongs before
   */
  notice(text, kind = 'plain', before = null) {
    const row = el('p', `notice ${kind}`, text);
    this.#tail.key = '';
    if (before?.parentNode === this.#box) {
      /** @type {Element} */ (before).classList.remove('follows');
      this.#box.insertBefore(row, before);
      if (this.#pinned) this.#scrollDown();
    } else this.#append(row, false);
  }

  /** Who came or went. Several in a row share a line. @param {string} text */
  comings(text) {
    const last = this.#box.lastElementChild;
    const shared = last?.classList.contains('comings') ? `${last.textContent} ${text}` : '';
    if (shared && shared.length <= COMINGS_LENGTH) setText(last, shared);
    else this.notice(text, 'comings');
    if (this.#pinned) this.#scrollDown();
  }

  /** @param {HTMLElement} row @param {boolean} own */
  #append(row, own) {
    const stay = own || this.#pinned;
    this.#empty.remove();
    this.#box.append(row);
    while (this.#box.childElementCount > MAX_ENTRIES) this.#box.firstElementChild.remove();
    if (stay) this.#scrollDown();
    else this.#toBottom.hidden = false;
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
    const line = row.querySelector('.delivery') ?? el('p', 'delivery');
    line.replaceChildren(words);
    if (again) line.append(' ', button('link-button', 'Send again', again));
    row.querySelector('.entry-body')?.append(line);
    if (this.#pinned) this.#scrollDown();
  }

  /** Scrolls to the newest entry with the next frame. */
  #scrollDown() {
    this.#pinned = true;
    this.#toBottom.hidden = true;
    this.#scrolling ||= requestAnimationFrame(() => {
      this.#scrolling = 0;
      if (this.#pinned) this.#box.scrollTop = this.#box.scrollHeight;
    });
  }
}
