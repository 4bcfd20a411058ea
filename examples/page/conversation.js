// @ts-check
/** The box that shows the log of one room, and keeps its newest entry in view. */

import { $ } from './elements.js';

/** @typedef {import('./log.js').Log} Log */

/** How far from its end the box counts as scrolled down, in pixels. */
const NEAR = 60;

export class Conversation {
  #box = $('log');
  #empty = $('log-empty');
  #toBottom = $('to-bottom');
  /** @type {Log | null} */
  #log = null;
  /** Whether the newest entry is to stay in view: until the user scrolls up. */
  #pinned = true;
  /** Where the box was scrolled to last. */
  #top = 0;
  /** The frame that will scroll, or 0. */
  #scrolling = 0;

  constructor() {
    this.#toBottom.addEventListener('click', () => { this.#scrollDown(); this.#box.focus(); });
    this.#box.addEventListener('scroll', () => {
      const { scrollTop, scrollHeight, clientHeight } = this.#box;
      // Entries that arrived since move the bottom away, not the user: only scrolling up unpins.
      if (scrollHeight - scrollTop - clientHeight < NEAR) this.#pinned = true;
      else if (scrollTop < this.#top) this.#pinned = false;
      this.#top = scrollTop;
      if (this.#pinned) this.#toBottom.hidden = true;
    }, { passive: true });
    new ResizeObserver(() => { if (this.#pinned) this.#scrollDown(); }).observe(this.#box);
  }

  /** Shows another log, at its newest entry. @param {Log} log */
  show(log) {
    if (log === this.#log) return;
    if (this.#log) this.#log.onGrow = () => {};
    // What was said earlier is not read out.
    this.#box.setAttribute('aria-live', 'off');
    this.#log?.entries.remove();
    this.#log = log;
    this.#empty.hidden = !log.isEmpty;
    this.#box.append(log.entries);
    log.onGrow = (own) => this.#grown(own);
    this.#top = 0;
    this.#scrollDown();
    requestAnimationFrame(() => requestAnimationFrame(() => this.#box.setAttribute('aria-live', 'polite')));
  }

  /** @param {boolean} own */
  #grown(own) {
    this.#empty.hidden = !!this.#log && !this.#log.isEmpty;
    if (!own && !this.#pinned) {
      this.#toBottom.hidden = false;
      return;
    }
    this.#pinned = true;
    this.#toBottom.hidden = true;
    // This frame's layout is done here, and not again.
    this.#box.scrollTop = this.#box.scrollHeight;
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
