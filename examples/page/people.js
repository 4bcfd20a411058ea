// @ts-check
/** The list of who is in the room. */

import { $, button, el, face, named, setText } from './elements.js';
import { formatCount } from './format.js';
import { isolated } from './names.js';

/** @typedef {import('../../client-ts/src/index.js').Presence} Presence */

const NAMES_SHOWN = 200;

/** Who is in the room. A click on a name begins a whisper. */
export class People {
  #list = $('people-list');
  #note = $('people-note');
  #counts = [$('people-count'), $('view-count')];
  #drawing = 0;
  /** @type {Map<string, HTMLElement>} */ #rows = new Map();

  /**
   * @param {() => {people: Presence | null, me: string, whisperTo: string, silent: boolean, isIn: boolean}} context
   * @param {(name: string) => void} onPick
   */
  constructor(context, onPick) {
    this.context = context;
    this.onPick = onPick;
  }

  /** Draws soon, once for however many changes. */
  draw() {
    if (this.#drawing) return;
    this.#drawing = requestAnimationFrame(() => { this.#drawing = 0; this.#drawNow(); });
  }

  #drawNow() {
    const { people, me, whisperTo, silent, isIn } = this.context();
    const sorted = [...people?.users ?? []].sort((a, b) => Number(b === me) - Number(a === me) || a.localeCompare(b));
    const shown = sorted.slice(0, NAMES_SHOWN);
    /** @type {Map<string, HTMLElement>} */
    const rows = new Map();
    for (const name of shown) rows.set(name, this.#rows.get(name) ?? this.#row(name, name === me));
    const focused = /** @type {HTMLElement | null} */ (this.#list.contains(document.activeElement) ? document.activeElement : null);
    this.#rows = rows;
    this.#list.replaceChildren(...rows.values());
    focused?.focus({ preventScroll: true });
    for (const [name, row] of rows) row.querySelector('button')?.setAttribute('aria-pressed', String(name === whisperTo));
    for (const count of this.#counts) {
      setText(count, people ? formatCount(people.count) : '');
      count.hidden = !people;
    }
    const note = isIn ? noteOn(people, shown.length, silent) : people ? 'As it was when you were last in this room.' : '';
    setText(this.#note, note);
    this.#note.hidden = note === '';
  }

  /** @param {string} name @param {boolean} isMe */
  #row(name, isMe) {
    const shown = named(name, 'person-name');
    if (isMe) return el('li', '', el('div', 'person', face(name), shown, el('span', 'person-tag', 'you')));
    const tag = el('span', 'person-tag', 'whisper');
    tag.setAttribute('aria-hidden', 'true');
    const pick = button('person', '', () => this.onPick(name));
    pick.append(face(name), el('span', 'hidden', 'Whisper to '), shown, tag);
    pick.title = isolated(name);
    return el('li', '', pick);
  }
}

/** @param {Presence | null} people @param {number} shown @param {boolean} silent */
function noteOn(people, shown, silent) {
  if (!people) return silent ? 'This server does not tell who is here.' : '';
  const { count, complete } = people;
  if (count === 1 && complete) return 'Only you, so far. Open this page in another window, or send someone the link.';
  if (shown < count) return `${formatCount(count - shown)} more not shown by name. In a full room the server tells the count and only some of the names.`;
  if (!complete) return 'In a full room some of these names may have left already.';
  return '';
}
