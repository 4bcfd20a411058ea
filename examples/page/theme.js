// @ts-check
/** Light or dark. */

import { memory } from './memory.js';

/** Light or dark: the system's choice until the user makes another. */
export class Theme {
  #dark = matchMedia('(prefers-color-scheme: dark)');

  constructor() {
    this.#apply(memory.get('theme'));
    for (const toggle of document.querySelectorAll('[data-theme-toggle]')) toggle.addEventListener('click', () => this.#toggle());
  }

  #toggle() {
    const system = this.#dark.matches ? 'dark' : 'light';
    const shown = document.documentElement.dataset.theme ?? system;
    const wanted = shown === 'dark' ? 'light' : 'dark';
    const kept = wanted === system ? '' : wanted;
    memory.set('theme', kept);
    this.#apply(kept);
  }

  /** @param {string} theme */
  #apply(theme) {
    if (theme === 'dark' || theme === 'light') document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
  }
}
