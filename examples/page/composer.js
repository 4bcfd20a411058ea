// @ts-check
/** The message box, and to whom it speaks. */

import { $, setText } from './elements.js';
import { EmojiPicker } from './emoji.js';
import { isolated, printable } from './names.js';

/** The message box, and to whom it speaks. */
export class Composer {
  #form = $('composer');
  #text = $('composer-text');
  #note = $('composer-note');
  #chip = $('whisper');
  #send = $('send');
  #noteTimer = 0;
  whisperTo = '';

  /**
   * @param {object} handlers
   * @param {(text: string) => boolean} handlers.onSubmit whether the text was taken
   * @param {(text: string) => void} handlers.onInput
   * @param {() => void} handlers.onWhisperChange
   */
  constructor({ onSubmit, onInput, onWhisperChange }) {
    this.onInput = onInput;
    this.onWhisperChange = onWhisperChange;
    new EmojiPicker((emoji) => this.#insert(emoji));
    this.#form.addEventListener('submit', (/** @type {Event} */ event) => {
      event.preventDefault();
      const text = this.#text.value.trim();
      if (text && onSubmit(text)) { this.#setValue(''); onInput(''); }
      this.#text.focus();
    });
    this.#text.addEventListener('keydown', (/** @type {KeyboardEvent} */ event) => {
      if (event.isComposing) return;
      if (event.key === 'Enter' && !event.shiftKey) { event.preventDefault(); this.#form.requestSubmit(); }
    });
    this.#form.addEventListener('keydown', (/** @type {KeyboardEvent} */ event) => {
      if (event.key === 'Escape' && this.whisperTo) this.whisper('');
    });
    this.#text.addEventListener('input', () => { this.note(''); this.#fit(); onInput(this.text); });
    $('whisper-end').addEventListener('click', () => this.whisper(''));
  }

  /** @param {boolean} enabled */
  enable(enabled) { this.#send.setAttribute('aria-disabled', String(!enabled)); }

  focus() { this.#text.focus(); }

  get text() { return this.#text.value; }

  /** @param {string} name whom to whisper to; empty to speak to the room again */
  whisper(name) {
    this.whisperTo = name;
    setText($('whisper-to'), printable(name));
    this.#chip.hidden = !name;
    this.#form.classList.toggle('whispering', Boolean(name));
    this.#text.placeholder = name ? `Whisper to ${isolated(name)}` : 'Message';
    this.onWhisperChange();
    this.focus();
  }

  /**
   * A line above the box.
   * @param {string} text
   * @param {{calm?: boolean, forMs?: number}} [how]
   */
  note(text, { calm = false, forMs = 0 } = {}) {
    clearTimeout(this.#noteTimer);
    setText(this.#note, text);
    this.#note.dataset.tone = calm ? 'calm' : 'bad';
    if (forMs) this.#noteTimer = setTimeout(() => this.note(''), forMs);
  }

  /** For another room. @param {string} draft what was written there before */
  reset(draft) {
    this.whisperTo = '';
    this.#chip.hidden = true;
    this.#form.classList.remove('whispering');
    this.#text.placeholder = 'Message';
    this.#setValue(draft);
  }

  /** Puts this where the cursor is. @param {string} words */
  #insert(words) {
    this.#text.setRangeText(words, this.#text.selectionStart, this.#text.selectionEnd, 'end');
    this.#fit();
    this.onInput(this.text);
  }

  /** @param {string} value */
  #setValue(value) {
    this.#text.value = value;
    this.note('');
    this.#fit();
  }

  /** The box grows with its text, up to its largest height in the style sheet. */
  #fit() {
    this.#text.style.height = 'auto';
    this.#text.style.height = `${this.#text.scrollHeight + 2}px`;
  }
}
