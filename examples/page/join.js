// @ts-check
/** The first screen: a name, a room, perhaps a token. */

import { $, setText } from './elements.js';
import { formatCount, plural } from './format.js';
import { memory, visit } from './memory.js';
import { nameProblem } from './names.js';

/** @typedef {import('./statistics.js').StatsPoller} StatsPoller */

const DEFAULT_ROOM = 'lobby';

/** The first screen: a name, a room, perhaps a token. */
export class JoinForm {
  #form = $('join-form');
  #name = $('join-name');
  #room = $('join-room');
  #token = $('join-token');

  /** @param {(who: {name: string, room: string, token: string}) => void} onJoin */
  constructor(onJoin) {
    this.onJoin = onJoin;
    const query = new URLSearchParams(location.search);
    const hash = new URLSearchParams(location.hash.slice(1));
    this.#name.value = query.get('name') ?? memory.get('name');
    this.#room.value = query.get('room') ?? (memory.get('room') || DEFAULT_ROOM);
    this.#token.value = hash.get('token') ?? '';
    $('join-advanced').open = this.#token.value !== '';
    // A token in the address bar would be copied along with it.
    if (hash.has('token')) history.replaceState(null, '', location.pathname + location.search);
    this.#form.addEventListener('submit', (/** @type {Event} */ event) => {
      event.preventDefault();
      this.submit();
    });
    const linked = query.has('room') && (query.has('name') || this.#token.value !== '');
    /** Whether there is nothing to ask. */
    this.complete = linked || visit.reloaded().length > 0;
  }

  /** Joins with what the fields hold, where that will do. @param {string} [room] in place of that in its field */
  submit(room) {
    if (room !== undefined) this.#room.value = room;
    const who = this.#read();
    if (who) this.onJoin(who);
    return who !== null;
  }

  focus() { (this.#name.value ? this.#room : this.#name).focus(); }

  #read() {
    const who = { name: this.#name.value.trim(), room: this.#room.value.trim(), token: this.#token.value.trim() };
    const nameOk = this.#check(this.#name, who.token ? '' : nameProblem(who.name, 'name'));
    const roomOk = this.#check(this.#room, nameProblem(who.room, 'room'));
    if (!nameOk) this.#name.focus();
    else if (!roomOk) this.#room.focus();
    if (!nameOk || !roomOk) return null;
    this.#token.value = '';
    memory.set('name', who.name);
    memory.set('room', who.room);
    return who;
  }

  /** @param {HTMLInputElement} input @param {string} problem */
  #check(input, problem) {
    const line = $(`${input.id}-error`);
    setText(line, problem);
    line.hidden = problem === '';
    input.setAttribute('aria-invalid', String(problem !== ''));
    return problem === '';
  }
}

/** @param {StatsPoller} poller */
export function showOnJoin({ latest, reachable, draining, full }) {
  const line = $('join-server');
  if (reachable === false) return setText(line, 'The server does not answer at the moment.');
  if (!latest) return;
  if (draining) return setText(line, 'The server is restarting and takes no newcomers.');
  const seats = `${formatCount(latest.total_connections)} of ${formatCount(latest.max_connections)} connections in use`;
  setText(line, full ? `Server full: ${seats}.` : `${seats}, ${plural(latest.active_rooms ?? 0, 'room')} open.`);
}
