// @ts-check
/** The list of rooms that the user is in, with what is unread in each. */

import { $, button, el, named, setText } from './elements.js';
import { formatCount, plural } from './format.js';
import { isolated, nameProblem } from './names.js';

/** @typedef {import('./room.js').Room} Room */

export class RoomList {
  #list = $('rooms-list');
  #input = $('rooms-new');
  #problem = $('rooms-new-error');
  #badge = $('view-rooms');
  #drawing = 0;
  /** @type {Map<Room, HTMLElement>} */ #rows = new Map();
  /** The room on the screen, as drawn last. @type {Room | null} */ #shown = null;

  /**
   * @param {() => {rooms: Room[], current: Room | null}} context
   * @param {{onShow: (name: string) => void, onClose: (room: Room) => void}} handlers
   */
  constructor(context, { onShow, onClose }) {
    this.context = context;
    this.onShow = onShow;
    this.onClose = onClose;
    $('rooms-form').addEventListener('submit', (/** @type {Event} */ event) => {
      event.preventDefault();
      const name = this.#input.value.trim();
      const problem = nameProblem(name, 'room');
      setText(this.#problem, problem);
      this.#problem.hidden = problem === '';
      this.#input.setAttribute('aria-invalid', String(problem !== ''));
      if (problem) return;
      this.#input.value = '';
      onShow(name);
    });
  }

  /** Draws soon, once for however many changes. */
  draw() {
    this.#drawing ||= requestAnimationFrame(() => { this.#drawing = 0; this.#drawNow(); });
  }

  /** Scrolls to the room on the screen, which may have been chosen elsewhere, as by Back. */
  reveal() { this.#list.querySelector('.current')?.scrollIntoView({ block: 'nearest' }); }

  #drawNow() {
    const { rooms, current } = this.context();
    const rows = new Map(rooms.map((room) => [room, this.#rows.get(room) ?? this.#row(room)]));
    const same = rows.size === this.#rows.size && [...rows.keys()].every((room) => this.#rows.has(room));
    this.#rows = rows;
    if (!same) this.#list.replaceChildren(...rows.values());
    for (const [room, row] of rows) {
      const show = /** @type {HTMLElement} */ (row.querySelector('.room-name'));
      if (room === current) show.setAttribute('aria-current', 'true');
      else show.removeAttribute('aria-current');
      const count = /** @type {HTMLElement} */ (row.querySelector('.count'));
      setText(count, formatCount(room.unread));
      count.hidden = room.unread === 0;
      setText(/** @type {HTMLElement} */ (row.querySelector('.hidden')), room.unread ? `, ${plural(room.unread, 'new message')}` : '');
      row.classList.toggle('current', room === current);
      row.classList.toggle('shut', room.refused !== null);
    }
    if (current !== this.#shown) this.reveal();
    this.#shown = current;
    const elsewhere = rooms.reduce((sum, room) => sum + (room === current ? 0 : room.unread), 0);
    setText(this.#badge, formatCount(elsewhere));
    this.#badge.hidden = elsewhere === 0;
  }

  /** @param {Room} room */
  #row(room) {
    const show = button('room-name', '', () => this.onShow(room.name));
    const count = el('span', 'count');
    count.setAttribute('aria-hidden', 'true');
    show.append(named(room.name, 'room-text'), el('span', 'hidden'), count);
    const close = button('icon-button small', '×', () => this.onClose(room));
    close.setAttribute('aria-label', `Leave ${isolated(room.name)}`);
    return el('li', 'room', show, close);
  }
}
