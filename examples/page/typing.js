// @ts-check
/** Who is writing at the moment. It is told by volatile messages, of which nothing is kept. */

const TOLD_EVERY_MS = 3_000;
/** Longer than the pause between two words of it. */
const BELIEVED_MS = 5_000;
/** In larger rooms nobody is told. */
const MAX_PEOPLE = 50;

/** @param {unknown} content @returns {boolean | undefined} what a message says of its sender's typing, if it is about that */
export function typingOf(content) {
  const typing = /** @type {any} */ (content)?.typing;
  return typeof typing === 'boolean' ? typing : undefined;
}

/** The others. */
export class Typists {
  /** Until when each is believed to write. @type {Map<string, number>} */
  #until = new Map();
  #timer = 0;

  /** @param {() => void} onChange */
  constructor(onChange) { this.onChange = onChange; }

  get names() { return [...this.#until.keys()]; }

  /** @param {string} name @param {boolean} typing */
  hear(name, typing) {
    const known = this.#until.delete(name);
    if (typing && this.#until.size < MAX_PEOPLE) this.#until.set(name, Date.now() + BELIEVED_MS);
    if (known !== typing) this.onChange();
    this.#wait();
  }

  clear() {
    const any = this.#until.size > 0;
    this.#until.clear();
    if (any) this.onChange();
    this.#wait();
  }

  /** The oldest comes first. */
  #wait() {
    clearTimeout(this.#timer);
    for (const [name, until] of this.#until) {
      this.#timer = setTimeout(() => this.hear(name, false), Math.max(0, until - Date.now()));
      return;
    }
  }
}

/** This user. */
export class TypingNotice {
  #toldAt = -Infinity;
  /** A server that gives the message a number keeps it: then nothing more is told. */
  #isVolatile = true;

  /** @param {(typing: boolean) => Promise<number>} tell resolves with the message's number, 0 if it has none */
  constructor(tell) { this.tell = tell; }

  /** @param {boolean} typing @param {number} people how many are in the room */
  set(typing, people) {
    if (!this.#isVolatile || people < 2 || people > MAX_PEOPLE) return;
    const now = Date.now();
    if (typing ? now - this.#toldAt < TOLD_EVERY_MS : now - this.#toldAt > BELIEVED_MS) return;
    this.#toldAt = typing ? now : -Infinity;
    this.tell(typing).then((number) => { this.#isVolatile = number === 0; }, () => {});
  }
}
