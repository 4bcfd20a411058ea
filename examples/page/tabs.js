// @ts-check
/** The parts of the page, of which a narrow screen shows one. */

import { $, setText } from './elements.js';

/** Which part a narrow screen shows; a wide one shows all. */
export class Tabs {
  /** As in the style sheet. Asking for a computed style would force a layout for every message. */
  #narrow = matchMedia('(max-width: 759px)');
  #columns = /** @type {HTMLElement} */ (document.querySelector('.columns'));
  #buttons = /** @type {HTMLElement[]} */ ([...document.querySelectorAll('.views [data-view]')]);
  #unread = $('view-unread');

  /** @param {() => void} onChange */
  constructor(onChange) {
    this.onChange = onChange;
    for (const tab of this.#buttons) tab.addEventListener('click', () => this.show(tab.dataset.view ?? 'talk'));
  }

  get current() { return this.#narrow.matches ? this.#columns.dataset.view : 'talk'; }

  /** @param {string} view */
  show(view) {
    this.#columns.dataset.view = view;
    for (const tab of this.#buttons) tab.setAttribute('aria-pressed', String(tab.dataset.view === view));
    this.onChange();
  }

  /** @param {number} count */
  unread(count) {
    setText(this.#unread, String(count));
    this.#unread.hidden = count === 0;
  }
}
