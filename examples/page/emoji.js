// @ts-check
/** The emoji picker of the message box. */

import { $, button } from './elements.js';

const EMOJI = [
  '😀 😄 😅 😂 🙂 😉 😊 😍 😎 🤔 😐 😴 😮 😢 😭 😡',
  '👍 👎 👋 🙏 👏 💪 🤝 👀 ❤️ 💔 🎉 🔥 ⭐ ✅ ❌ ❓',
  '☀️ 🌧️ ❄️ 🌍 🐱 🐶 🦊 🐢 🍎 🍕 🍰 ☕ ⚽ 🚲 🚀 💡',
].map((row) => row.split(' '));

const COLUMNS = 8;

export class EmojiPicker {
  #toggle = $('emoji-toggle');
  #panel = $('emoji');
  /** @type {HTMLButtonElement[]} */ #buttons;

  /** @param {(emoji: string) => void} onPick */
  constructor(onPick) {
    this.#buttons = EMOJI.flat().map((emoji) => {
      const made = button('emoji', emoji, () => onPick(emoji));
      made.tabIndex = -1;
      return made;
    });
    this.#buttons[0].tabIndex = 0;
    this.#panel.append(...this.#buttons);
    this.#toggle.addEventListener('click', () => this.#show(this.#panel.hidden));
    this.#panel.addEventListener('keydown', (/** @type {KeyboardEvent} */ event) => this.#key(event));
    document.addEventListener('pointerdown', (event) => {
      if (!(event.target instanceof Node) || this.#panel.contains(event.target) || this.#toggle.contains(event.target)) return;
      this.#show(false);
    });
  }

  /** @param {boolean} open */
  #show(open) {
    if (open === !this.#panel.hidden) return;
    this.#panel.hidden = !open;
    this.#toggle.setAttribute('aria-expanded', String(open));
    if (open) this.#buttons.find((one) => one.tabIndex === 0)?.focus();
  }

  /** The arrow keys move through the picker, which is one stop for Tab. @param {KeyboardEvent} event */
  #key(event) {
    if (event.key === 'Escape') {
      this.#show(false);
      this.#toggle.focus();
      event.stopPropagation();
      return;
    }
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: COLUMNS, ArrowUp: -COLUMNS }[event.key];
    const at = this.#buttons.indexOf(/** @type {HTMLButtonElement} */ (document.activeElement));
    const next = this.#buttons[at + (step ?? 0)];
    if (!step || at < 0) return;
    event.preventDefault();
    if (!next) return;
    this.#buttons[at].tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  }
}
