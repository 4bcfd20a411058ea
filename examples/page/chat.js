// @ts-check
/**
 * The chat page: one room over one WebSocket that speaks `switchboard.v1.json`.
 *
 * The connection is the TypeScript client's (client-ts), bundled as switchboard.js.
 * 1. The room: who is here, what the user typed, what a close means in words. No page.
 * 2. The page: small views over the elements of index.html.
 * 3. The application: puts the two and the client together.
 */

import { Switchboard, decide } from './switchboard.js';

/**
 * @typedef {import('../../client-ts/src/index.js').State} State
 * @typedef {import('../../client-ts/src/index.js').Close} Close how a connection ended
 * @typedef {import('../../client-ts/src/index.js').Frame} Frame
 * @typedef {import('../../client-ts/src/index.js').Gap} Gap
 * @typedef {import('../../client-ts/src/index.js').SwitchboardError} SwitchboardError
 */

// ---------------------------------------------------------------------------------------------
// 1. The room
// ---------------------------------------------------------------------------------------------

const NAMES_KEPT = 1_000;

/** Who is in the room, as far as the server tells: all names up to fifty, changes above. */
export class Presence {
  /** @type {Set<string>} */ names = new Set();
  /** @type {number | null} */ count = null;

  clear() {
    this.names = new Set();
    this.count = null;
  }

  /** Whether the names are all there are. */
  get complete() { return this.count !== null && this.names.size === this.count; }

  /**
   * @param {Frame} frame
   * @returns {{joined: string[], left: string[]}} what changed, where that can be told
   */
  apply(frame) {
    const first = this.count === null;
    if (Number.isFinite(frame.count)) this.count = frame.count;
    if (Array.isArray(frame.users)) {
      const before = this.names;
      this.names = new Set(frame.users.filter(isName).slice(0, NAMES_KEPT));
      if (first) return { joined: [], left: [] };
      return {
        joined: [...this.names].filter((name) => !before.has(name)),
        left: [...before].filter((name) => !this.names.has(name)),
      };
    }
    const joined = list(frame.joined).filter((name) => !this.names.has(name));
    const left = list(frame.left);
    for (const name of left) this.names.delete(name);
    for (const name of joined) if (this.names.size < NAMES_KEPT) this.names.add(name);
    return first ? { joined: [], left: [] } : { joined, left };
  }
}

/** @param {unknown} value @returns {value is string} */
function isName(value) { return typeof value === 'string' && value !== ''; }

/** @param {unknown} value @returns {string[]} */
function list(value) { return Array.isArray(value) ? value.filter(isName) : []; }

/**
 * What the user typed: a message for the room, a whisper, or a slip.
 * @typedef {{kind: 'say', text: string} | {kind: 'whisper', to: string, text: string} | {kind: 'wrong', why: string}} Typed
 * @param {string} text
 * @param {Iterable<string>} names who is here, so that names with spaces are found without quotes
 * @returns {Typed}
 */
export function parseTyped(text, names) {
  if (text.startsWith('//')) return { kind: 'say', text: text.slice(1) };
  if (!text.startsWith('/')) return { kind: 'say', text };
  const command = /^\/(?:w|whisper|msg)(?:\s+([\s\S]*))?$/.exec(text);
  if (!command) return { kind: 'wrong', why: 'There is no such command. Write /w name text to whisper, or // to begin a message with a slash.' };
  const rest = command[1] ?? '';
  const known = [...names].filter((name) => rest === name || rest.startsWith(`${name} `)).sort((a, b) => b.length - a.length)[0];
  const quoted = /^"([^"]+)"\s*([\s\S]*)$/.exec(rest);
  const plain = /^(\S+)\s*([\s\S]*)$/.exec(rest);
  if (quoted) return { kind: 'whisper', to: quoted[1], text: quoted[2] };
  if (known) return { kind: 'whisper', to: known, text: rest.slice(known.length).trimStart() };
  if (plain) return { kind: 'whisper', to: plain[1], text: plain[2] };
  return { kind: 'wrong', why: 'Whisper to whom? Write /w name text.' };
}

const MAX_NAME_BYTES = 128;

/**
 * Why the server would not take this as a name, or nothing.
 * @param {string} name
 * @param {'name' | 'room'} what
 */
export function nameProblem(name, what) {
  const subject = what === 'name' ? 'Your name' : 'The room’s name';
  if (name === '') return what === 'name' ? 'Choose a name first.' : 'Choose a room first.';
  if (/\p{Cc}|\p{Cs}/u.test(name)) return `${subject} holds a character that cannot be sent.`;
  if (printable(name) !== name) return `${subject} holds an invisible character or a direction mark.`;
  const bytes = byteLength(name);
  if (bytes > MAX_NAME_BYTES) return `${subject} is too long: ${bytes} of ${MAX_NAME_BYTES} bytes.`;
  if (what === 'room' && (name === '.' || name === '..')) return 'A room cannot be called that.';
  return '';
}

// Joiners and selectors have a meaning within an emoji, and joiners within the scripts that use them.
const UNSEEN = /(?<![\p{Extended_Pictographic}\p{Emoji_Modifier}\u{fe0f}\p{M}\p{Script_Extensions=Arabic}])[\u{200c}\u{200d}\u{fe0f}]|(?![\u{200c}\u{200d}\u{fe0f}])[\p{Default_Ignorable_Code_Point}\p{Cf}\p{Cc}\p{Zl}\p{Zp}]/gu;

/**
 * A name as it is shown: characters that cannot be seen, or that turn the text around them, are spelled out, so
 * that no name passes for another by them.
 * @param {string} name
 */
export function printable(name) {
  return name.replace(UNSEEN, (found) => `[U+${(found.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}]`);
}

/** @param {string} text */
function byteLength(text) { return new TextEncoder().encode(text).length; }

/**
 * Why the connection ended, in plain words.
 * @typedef {{title: string, text: string, advice: string}} Words
 * What surrounds an end. `reachable` is true only where the server that was dialed is known to have answered
 * after the attempt; `draining` and `full` mean something only then.
 * @typedef {{room: string, usesToken: boolean, reachable: boolean, draining: boolean, full: boolean}} Surroundings
 * @param {Close} end
 * @param {Surroundings} around
 * @returns {Words}
 */
export function explain(end, around) {
  const words = WORDS[keyOf(end)];
  if (words) {
    const [title, text, advice] = words(around);
    return { title, text, advice };
  }
  if (end.phase === 'dialing') return explainUnreachable(around);
  if (end.silent && end.phase === 'opened') {
    return { title: 'The server did not answer', text: 'The connection opened, but the server did not let this page in within ten seconds.', advice: '' };
  }
  if (end.silent) return { title: 'The server fell silent', text: 'Nothing came back, so this page stopped waiting and opens a new connection.', advice: '' };
  return explainByBand(end);
}

/** @param {Close} end */
function keyOf(end) {
  if (end.code === 4002) return end.reason === 'lobby_full' ? 'lobby_full' : 'server_full';
  if (end.code === 1000) return end.reason === 'replaced' ? 'replaced' : '';
  return CODE_WORDS[end.code] ?? '';
}

/** @type {Record<number, string>} */
const CODE_WORDS = {
  1001: 'draining', 1002: 'protocol_error', 1003: 'unsupported_data', 1007: 'invalid_utf8', 1008: 'policy',
  1009: 'too_big', 1011: 'internal', 1012: 'restart', 1013: 'try_later', 1014: 'bad_gateway',
  4001: 'unauthorized', 4003: 'forbidden', 4004: 'kicked', 4005: 'already_connected',
  4100: 'ip_limit', 4101: 'slow_consumer', 4102: 'rate_limited', 4103: 'auth_timeout',
  4201: 'heartbeat_timeout', 4202: 'token_expired',
};

const MISUNDERSTOOD = 'Reload this page: it may be older than the server. If it happens again, tell whoever runs the server.';

/** @type {Record<string, (around: Surroundings) => [title: string, text: string, advice: string]>} */
const WORDS = {
  replaced: () => ['You signed in somewhere else',
    'The same name connected from another window or device, so this one was signed out. It stays away, or the two would keep pushing each other out.',
    'Choose Reconnect to come back here instead.'],
  draining: () => ['The server is restarting', 'It closes its connections in turn and told this page when to come back.', ''],
  restart: () => ['The server is restarting', 'It takes no newcomers until it is back.', ''],
  protocol_error: () => ['The connection broke its rules', 'The server received bytes that are not the WebSocket protocol, often the work of a proxy between.', MISUNDERSTOOD],
  unsupported_data: () => ['The server could not use that', 'It was sent binary data where it speaks text.', MISUNDERSTOOD],
  invalid_utf8: () => ['The server could not read that', 'It was sent text that is not valid UTF-8.', MISUNDERSTOOD],
  too_big: () => ['Your message was too big', 'It was larger than this server takes, so the server closed the connection.', 'Choose Reconnect and send it in smaller parts.'],
  policy: () => ['The server turned this page away', 'What was sent is against its rules for connections.', 'Choose Reconnect to try once more. If it happens again, tell whoever runs the server.'],
  internal: () => ['Something failed on the server', 'It ended this connection because of an error of its own; the others go on.', ''],
  try_later: () => ['The server is busy', 'It asked to be tried again later.', ''],
  bad_gateway: () => ['Something between you and the server failed', 'A gateway got no proper answer from the server.', ''],
  unauthorized: (around) => ['Sign-in refused',
    around.usesToken ? 'The server did not accept the token: it may be wrong, or expired.' : 'The server does not let in a name alone; it asks for a token.',
    'Paste a new token below.'],
  server_full: () => ['Server full', 'Every seat of this server is taken (server full).', 'Nothing is needed from you: this page takes a seat when one is free.'],
  lobby_full: (around) => ['Lobby full', `Every seat in the room “${printable(around.room)}” is taken (lobby full).`, 'Leave to choose another room, or choose Reconnect when someone may have left.'],
  forbidden: () => ['You may not come in here', 'The server knows you, but does not let you into this room.', 'Leave to choose another room, or ask whoever runs the server.'],
  kicked: () => ['You were disconnected', 'Whoever runs this server ended your connection.', 'It is not reopened by itself. Choose Reconnect if you think you may come back.'],
  already_connected: () => ['This name is connected already', 'The server allows one connection for each name, and keeps the older one.', 'Close the other window, or leave and choose another name.'],
  ip_limit: () => ['Too many connections from your network', 'Your address holds as many connections as the server allows, or opens them too fast.', 'Closing other windows helps.'],
  slow_consumer: () => ['Your connection could not keep up', 'More was sent to you than your network took, so the server let this connection go.', ''],
  rate_limited: () => ['You sent too much too fast', 'The server’s limit was passed again and again, so it ended the connection.', 'Slow down a little after that.'],
  auth_timeout: () => ['Sign-in took too long', 'The server waited for this page to say who you are, and gave up.', ''],
  heartbeat_timeout: () => ['Your connection went quiet', 'The server heard nothing from here, for example because this device slept.', ''],
  token_expired: (around) => ['Your sign-in has expired', 'The server ended the session when its time was up.', around.usesToken ? 'Paste a new token below to go on.' : ''],
};

/** @param {Surroundings} around @returns {Words} */
function explainUnreachable(around) {
  if (!around.reachable) return { title: 'The server cannot be reached', text: 'It may be restarting, or your network may be down.', advice: '' };
  if (around.draining) return { title: 'The server is restarting', text: 'It answers, but takes no newcomers until it is back.', advice: '' };
  if (around.full) return { title: 'Server full', text: 'Every seat of this server is taken (server full).', advice: '' };
  return { title: 'The server did not let this page in', text: 'It answers, but refused the connection, and a browser does not tell a page why.', advice: 'The room may be full, or something between may block WebSockets.' };
}

/** @param {Close} end @returns {Words} */
function explainByBand({ code, reason }) {
  const said = reason ? ` It said: “${reason}”.` : '';
  if (code >= 3000 && decide(code, reason) === 'stop') {
    return { title: 'The application ended the connection', text: `It asked this page not to come back by itself.${said}`, advice: 'Choose Reconnect if you think you may come back.' };
  }
  if (code >= 4000) return { title: 'The application asked to reconnect', text: `It ended this connection.${said}`, advice: '' };
  return { title: 'The connection was lost', text: `It ended without the server’s word, as when a network or a proxy drops it.${said}`, advice: '' };
}

/** Errors that answer a message, in words. @type {Record<string, string>} */
const ERROR_WORDS = {
  bad_request: 'the server could not use it',
  unknown_type: 'the server does not know this kind of message',
  unauthorized: 'you are not signed in',
  forbidden: 'you may not do that here',
  not_in_channel: 'you are not in this room',
  already_subscribed: 'you are in this room already',
  not_connected: 'nobody of that name is connected',
  limit_exceeded: 'a limit of the server is reached',
  room_full: 'the room is full',
  rate_limited: 'too many messages too fast',
  too_large: 'it is too large to be delivered',
  internal: 'something failed on the server',
};

/** @param {{code: string, message?: unknown}} frame */
function errorWords(frame) {
  const known = ERROR_WORDS[frame.code];
  if (known) return known;
  return isName(frame.message) ? frame.message : `the server answered “${frame.code}”`;
}

// ---------------------------------------------------------------------------------------------
// 2. The page
// ---------------------------------------------------------------------------------------------

/**
 * The element with this id, which index.html is known to have.
 * @param {string} id
 * @returns {any}
 */
function $(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`index.html has no #${id}`);
  return found;
}

/**
 * A new element. Strings among the children become text, never markup.
 * @param {string} tag
 * @param {string} className
 * @param {...(Node | string)} children
 */
function el(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

/**
 * @param {string} className
 * @param {string} text
 * @param {() => void} onClick
 */
function button(className, text, onClick) {
  const made = /** @type {HTMLButtonElement} */ (el('button', className, text));
  made.type = 'button';
  made.addEventListener('click', onClick);
  return made;
}

/** Sets text only where it changes, so that nothing is announced or laid out twice. @param {Node} node @param {string} text */
function setText(node, text) { if (node.textContent !== text) node.textContent = text; }

/** The round picture of a name: its initials on a colour that stays the same. @param {string} name */
function face(name) {
  let hash = 7;
  for (const char of name) hash = (hash * 31 + (char.codePointAt(0) ?? 0)) >>> 0;
  const words = name.split(/[\s._-]+/).filter(Boolean);
  const initials = words.slice(0, 2).map((word) => [...word][0]).join('') || '?';
  const made = el('span', `face hue-${hash % 8}`, initials.toUpperCase());
  made.setAttribute('aria-hidden', 'true');
  return made;
}

const plural = (/** @type {number} */ n, /** @type {string} */ one, many = `${one}s`) => `${n.toLocaleString('en')} ${n === 1 ? one : many}`;

/** @param {string[]} names */
function nameList(names) {
  if (names.length > 4) return `${names.slice(0, 3).map(printable).join(', ')} and ${names.length - 3} others`;
  return new Intl.ListFormat('en').format(names.map(printable));
}

/** @param {number} ms */
function formatMs(ms) {
  if (!Number.isFinite(ms)) return '–';
  if (ms >= 10_000) return `${Math.round(ms / 1000)} s`;
  if (ms >= 1_000) return `${(ms / 1000).toFixed(1)} s`;
  return ms < 10 ? `${ms.toFixed(1)} ms` : `${Math.round(ms)} ms`;
}

/** @param {unknown} n */
function formatCount(n) {
  if (typeof n !== 'number' || !Number.isFinite(n)) return '–';
  if (n < 100_000) return n.toLocaleString('en');
  return new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 }).format(n);
}

/** @param {unknown} n */
function formatBytes(n) {
  if (typeof n !== 'number' || !Number.isFinite(n)) return '–';
  if (n < 1024) return `${n} B`;
  return n < 1024 ** 2 ? `${(n / 1024).toFixed(1)} KiB` : `${(n / 1024 ** 2).toFixed(1)} MiB`;
}

/** @param {unknown} s */
function formatSpan(s) {
  if (typeof s !== 'number' || !Number.isFinite(s)) return '–';
  const [d, h, m] = [Math.floor(s / 86_400), Math.floor(s / 3600) % 24, Math.floor(s / 60) % 60];
  if (d) return `${d} d ${h} h`;
  if (h) return `${h} h ${m} min`;
  return m ? `${m} min ${Math.floor(s % 60)} s` : `${Math.floor(s)} s`;
}

/** Counts by reason: the sum and, where there are few, what for. @param {unknown} counts */
function formatReasons(counts) {
  if (!counts || typeof counts !== 'object') return '–';
  const entries = Object.entries(counts).filter(([, n]) => n > 0).sort((a, b) => b[1] - a[1]);
  const sum = entries.reduce((total, [, n]) => total + n, 0);
  const shown = entries.slice(0, 3).map(([reason, n]) => (entries.length === 1 ? '' : `${formatCount(n)} `) + reason.replaceAll('_', ' '));
  return entries.length ? `${formatCount(sum)} (${shown.join(', ')}${entries.length > 3 ? ', …' : ''})` : '0';
}

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });

/** Storage that may be forbidden: then nothing is remembered. */
const memory = {
  /** @param {string} key */
  get(key) { try { return localStorage.getItem(`switchboard.${key}`) ?? ''; } catch { return ''; } },
  /** @param {string} key @param {string} value */
  set(key, value) {
    try {
      if (value) localStorage.setItem(`switchboard.${key}`, value);
      else localStorage.removeItem(`switchboard.${key}`);
    } catch { /* nothing is remembered then */ }
  },
};

/** Whether this window is in a room, so that a reload goes on there; a second window does not. */
const visit = {
  /** @param {boolean} going */
  remember(going) {
    try {
      if (going) sessionStorage.setItem('switchboard.visit', 'yes');
      else sessionStorage.removeItem('switchboard.visit');
    } catch { /* a reload shows the first screen then */ }
  },
  wasReloaded() {
    const [navigation] = /** @type {PerformanceNavigationTiming[]} */ (performance.getEntriesByType('navigation'));
    try { return navigation?.type === 'reload' && sessionStorage.getItem('switchboard.visit') === 'yes'; } catch { return false; }
  },
};

/** Light or dark: the system's choice until the user makes another. */
class Theme {
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

const MAX_ENTRIES = 500;
const FOLLOWS_WITHIN_MS = 3 * 60_000;
const COMINGS_LENGTH = 120;

/** The messages, and what happened between them. Keeps the newest 500. */
class Log {
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

const NAMES_SHOWN = 200;

/** Who is in the room. A click on a name begins a whisper. */
class People {
  #list = $('people-list');
  #note = $('people-note');
  #counts = [$('people-count'), $('view-count')];
  #drawing = 0;
  /** @type {Map<string, HTMLElement>} */ #rows = new Map();

  /**
   * @param {Presence} presence
   * @param {() => {me: string, whisperTo: string, silent: boolean, connected: boolean}} context
   * @param {(name: string) => void} onPick
   */
  constructor(presence, context, onPick) {
    this.presence = presence;
    this.context = context;
    this.onPick = onPick;
  }

  /** Draws soon, once for however many changes. */
  draw() {
    if (this.#drawing) return;
    this.#drawing = requestAnimationFrame(() => { this.#drawing = 0; this.#drawNow(); });
  }

  #drawNow() {
    const { presence } = this;
    const { me, whisperTo, silent, connected } = this.context();
    const sorted = [...presence.names].sort((a, b) => Number(b === me) - Number(a === me) || a.localeCompare(b));
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
      setText(count, presence.count === null ? '' : formatCount(presence.count));
      count.hidden = presence.count === null;
    }
    const note = connected ? this.#noteText(shown.length, silent) : this.#noteOffline();
    setText(this.#note, note);
    this.#note.hidden = note === '';
  }

  #noteOffline() { return this.presence.count === null ? '' : 'As it was when the connection ended.'; }

  /** @param {number} shown @param {boolean} silent */
  #noteText(shown, silent) {
    const { count, complete } = this.presence;
    if (count === null) return silent ? 'This server does not tell who is here.' : '';
    if (count === 1 && complete) return 'Only you, so far. Open this page in another window, or send someone the link.';
    if (shown < count) return `${plural(count - shown, 'more')} not shown by name. In a full room the server tells the count and only some of the names.`.replace('mores', 'more');
    if (!complete) return 'In a full room some of these names may have left already.';
    return '';
  }

  /** @param {string} name @param {boolean} isMe */
  #row(name, isMe) {
    const shown = el('span', 'person-name', printable(name));
    if (isMe) return el('li', '', el('div', 'person', face(name), shown, el('span', 'person-tag', 'you')));
    const tag = el('span', 'person-tag', 'whisper');
    tag.setAttribute('aria-hidden', 'true');
    const pick = button('person', '', () => this.onPick(name));
    pick.append(face(name), el('span', 'hidden', 'Whisper to '), shown, tag);
    pick.title = printable(name);
    return el('li', '', pick);
  }
}

/** The message box, and to whom it speaks. */
class Composer {
  #form = $('composer');
  #text = $('composer-text');
  #note = $('composer-note');
  #chip = $('whisper');
  #send = $('send');
  #noteTimer = 0;
  whisperTo = '';

  /**
   * @param {(text: string) => boolean} onSubmit whether the text was taken
   * @param {() => void} onWhisperChange
   */
  constructor(onSubmit, onWhisperChange) {
    this.onWhisperChange = onWhisperChange;
    this.#form.addEventListener('submit', (/** @type {Event} */ event) => {
      event.preventDefault();
      const text = this.#text.value.trim();
      if (text && onSubmit(text)) this.#setValue('');
      this.#text.focus();
    });
    this.#text.addEventListener('keydown', (/** @type {KeyboardEvent} */ event) => {
      if (event.isComposing) return;
      if (event.key === 'Enter' && !event.shiftKey) { event.preventDefault(); this.#form.requestSubmit(); }
    });
    this.#form.addEventListener('keydown', (/** @type {KeyboardEvent} */ event) => {
      if (event.key === 'Escape' && this.whisperTo) this.whisper('');
    });
    this.#text.addEventListener('input', () => { this.note(''); this.#fit(); });
    $('whisper-end').addEventListener('click', () => this.whisper(''));
  }

  /** @param {boolean} enabled */
  enable(enabled) { this.#send.setAttribute('aria-disabled', String(!enabled)); }

  focus() { this.#text.focus(); }

  /** @param {string} name whom to whisper to; empty to speak to the room again */
  whisper(name) {
    this.whisperTo = name;
    setText($('whisper-to'), printable(name));
    this.#chip.hidden = !name;
    this.#form.classList.toggle('whispering', Boolean(name));
    this.#text.placeholder = name ? `Whisper to ${printable(name)}` : 'Message';
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

  reset() {
    this.whisperTo = '';
    this.#chip.hidden = true;
    this.#form.classList.remove('whispering');
    this.#text.placeholder = 'Message';
    this.#setValue('');
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

const BANNER_DELAY_MS = 500;

/** The state of the connection: a word in the bar, and a banner when there is something to explain. */
class StatusView {
  #pill = $('status');
  #pillText = $('status-text');
  #rtt = $('status-rtt');
  #banner = $('banner');
  #countdown = $('banner-countdown');
  #announcer = $('announcer');
  #tick = 0;
  #delay = 0;
  /** @type {State['status'] | ''} */ #announced = '';

  /** @param {{onReconnect: () => void, onLeave: () => void, onToken: (token: string) => void}} handlers */
  constructor({ onReconnect, onLeave, onToken }) {
    for (const id of ['reconnect', 'banner-reconnect']) $(id).addEventListener('click', onReconnect);
    for (const id of ['leave', 'banner-leave']) $(id).addEventListener('click', onLeave);
    $('renew').addEventListener('submit', (/** @type {Event} */ event) => {
      event.preventDefault();
      const token = $('renew-token').value.trim();
      $('renew-token').value = '';
      if (token) onToken(token);
    });
  }

  /**
   * @param {State} state
   * @param {Words | null} words
   */
  show(state, words) {
    clearInterval(this.#tick);
    this.#pill.dataset.state = state.status;
    if (state.status !== 'connected') setText(this.#rtt, '');
    this.#count(state);
    if (state.status === 'waiting') this.#tick = setInterval(() => this.#count(state), 250);
    this.#showBanner(state, words);
    this.#announce(state);
  }

  /** @param {number} ms */
  roundTrip(ms) { setText(this.#rtt, formatMs(ms)); }

  /** @param {State} state */
  #count(state) {
    if (state.status !== 'waiting') {
      setText(this.#pillText, { idle: '', connecting: 'Connecting…', connected: 'Connected', stopped: 'Stopped' }[state.status]);
      setText(this.#countdown, state.status === 'connecting' && state.last ? 'Connecting now…' : '');
      return;
    }
    const seconds = Math.max(1, Math.ceil(((state.until ?? 0) - Date.now()) / 1000));
    setText(this.#pillText, `Reconnecting in ${seconds} s`);
    const offline = state.why === 'offline' ? 'This device says it is offline. ' : '';
    setText(this.#countdown, `${offline}Trying again in ${seconds} s.`);
  }

  /** @param {State} state @param {Words | null} words */
  #showBanner(state, words) {
    const end = state.last;
    if (state.status === 'connected' || !end || !words) {
      clearTimeout(this.#delay);
      this.#delay = 0;
      this.#banner.hidden = true;
      return;
    }
    const stopped = state.status === 'stopped';
    this.#banner.dataset.tone = stopped ? 'bad' : 'wait';
    setText($('banner-title'), words.title);
    setText($('banner-text'), words.text);
    setText($('banner-advice'), words.advice);
    setText($('banner-code'), `close code ${end.code}${end.reason ? `, ${end.reason}` : ''}`);
    $('renew').hidden = !(stopped && (end.code === 4001 || end.code === 4202));
    setText($('banner-reconnect'), stopped ? 'Reconnect' : 'Try now');
    $('banner-reconnect').hidden = !$('renew').hidden;
    if (!this.#banner.hidden) return;
    // What mends itself within half a second is not worth a banner.
    if (stopped) this.#reveal();
    else if (!this.#delay) this.#delay = setTimeout(() => this.#reveal(), BANNER_DELAY_MS);
  }

  #reveal() {
    clearTimeout(this.#delay);
    this.#delay = 0;
    this.#banner.hidden = false;
    if (!$('renew').hidden) $('renew-token').focus();
  }

  /** @param {State} state */
  #announce({ status }) {
    if (status === this.#announced) return;
    if (status === 'connected') setText(this.#announcer, 'Connected.');
    if (status === 'connecting') setText(this.#announcer, 'Connecting.');
    this.#announced = status;
  }
}

const POLL_EVERY_MS = 2_000;
const POLL_SLOWEST_MS = 10_000;
const POLL_TIMEOUT_MS = 4_000;

/**
 * Asks for /stats.json while the page is visible; more rarely while nobody answers.
 * @typedef {Record<string, any>} Stats
 */
class StatsPoller {
  #timer = 0;
  #running = false;
  #failures = 0;
  /** @type {Promise<void> | null} */ #asking = null;
  /** @type {Stats | null} */ latest = null;
  latestAt = 0;
  /** @type {boolean | null} whether the server answered last time; null before the first answer */
  reachable = null;
  /** When the latest finished request was sent, and when the latest answer came. */
  #askedAt = 0;
  #answeredAt = 0;

  /** @param {(poller: StatsPoller) => void} onChange */
  constructor(onChange) {
    this.onChange = onChange;
    document.addEventListener('visibilitychange', () => { if (document.visibilityState === 'visible') this.now(); });
  }

  start() {
    if (this.#running) return;
    this.#running = true;
    this.now();
  }

  /** Asks at once. */
  now() {
    if (!this.#running) return Promise.resolve();
    clearTimeout(this.#timer);
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = null;
      this.onChange(this);
      const pause = Math.min(POLL_SLOWEST_MS, POLL_EVERY_MS * 2 ** Math.max(0, this.#failures - 1));
      if (document.visibilityState === 'visible') this.#timer = setTimeout(() => this.now(), pause);
    });
    return this.#asking;
  }

  /** Asks with a request that is sent after this call: one under way says nothing of what happened since. */
  async fresh() {
    await this.#asking;
    await this.now();
  }

  /**
   * Whether the server that ran at `from` answered a request sent after `to`. An answer to an older request may
   * come from a server that has gone since, and one that started later never saw what happened before.
   * @param {number} from
   * @param {number} to
   */
  answeredAround(from, to) {
    if (!this.latest || !this.reachable || this.#askedAt < to) return false;
    // The margin is for the time that the answer travelled.
    return this.#answeredAt - this.latest.uptime_s * 1000 <= from + 100;
  }

  get draining() { return this.latest?.draining === true; }

  get full() {
    const { latest } = this;
    return latest !== null && latest.max_connections > 0 && latest.total_connections >= latest.max_connections;
  }

  async #ask() {
    const askedAt = performance.now();
    try {
      const answer = await fetch('/stats.json', { cache: 'no-store', signal: AbortSignal.timeout(POLL_TIMEOUT_MS) });
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      this.latest = await answer.json();
      this.latestAt = Date.now();
      this.#answeredAt = performance.now();
      this.reachable = true;
      this.#failures = 0;
    } catch {
      this.reachable = false;
      this.#failures += 1;
    }
    this.#askedAt = askedAt;
  }
}

/** A small line chart of the last two minutes: one path for each series, breaks where nothing is known. */
class LineChart {
  static POINTS = 60;
  static #WIDTH = 240;
  static #HEIGHT = 60;
  static #SVG = 'http://www.w3.org/2000/svg';
  /** @type {number[][]} */ #series;
  /** @type {SVGPathElement[]} */ #lines;
  #area;

  /**
   * @param {string} id
   * @param {number} count how many series
   * @param {number} floor the smallest height of the scale
   * @param {(value: number) => string} label
   */
  constructor(id, count, floor, label) {
    this.svg = $(id);
    this.top = $(`${id}-top`);
    this.floor = floor;
    this.label = label;
    this.#series = Array.from({ length: count }, () => []);
    this.#area = this.#path('chart-area');
    this.#lines = this.#series.map((_, i) => this.#path(`chart-line series-${i + 1}`));
  }

  /** @param {number[]} values one for each series; NaN for unknown */
  add(values) {
    this.#series.forEach((series, i) => {
      series.push(values[i]);
      if (series.length > LineChart.POINTS) series.shift();
    });
    this.#draw();
  }

  #draw() {
    const known = this.#series.flat().filter(Number.isFinite);
    const scale = niceCeiling(Math.max(this.floor, ...known));
    setText(this.top, known.length ? this.label(scale) : '');
    this.#series.forEach((series, i) => this.#lines[i].setAttribute('d', this.#trace(series, scale)));
    this.#area.setAttribute('d', this.#fill(this.#series[0], scale));
  }

  /** @param {number[]} series @param {number} scale @returns {[number, number][][]} the unbroken runs */
  #runs(series, scale) {
    /** @type {[number, number][][]} */
    const runs = [];
    let open = false;
    series.forEach((value, i) => {
      if (!Number.isFinite(value)) { open = false; return; }
      if (!open) runs.push([]);
      open = true;
      const x = LineChart.#WIDTH * (LineChart.POINTS - series.length + i) / (LineChart.POINTS - 1);
      const y = LineChart.#HEIGHT - 2 - (LineChart.#HEIGHT - 6) * value / scale;
      runs[runs.length - 1].push([x, y]);
    });
    return runs;
  }

  /** @param {number[]} series @param {number} scale */
  #trace(series, scale) {
    return this.#runs(series, scale).map((run) => `M${run.map(point).join('L')}${run.length === 1 ? 'h0.1' : ''}`).join('');
  }

  /** @param {number[]} series @param {number} scale */
  #fill(series, scale) {
    const base = LineChart.#HEIGHT;
    return this.#runs(series, scale).filter((run) => run.length > 1)
      .map((run) => `M${point([run[0][0], base])}L${run.map(point).join('L')}L${point([run[run.length - 1][0], base])}Z`).join('');
  }

  /** @param {string} className @returns {SVGPathElement} */
  #path(className) {
    const path = /** @type {SVGPathElement} */ (document.createElementNS(LineChart.#SVG, 'path'));
    path.setAttribute('class', className);
    this.svg.append(path);
    return path;
  }
}

/** @param {[number, number]} at */
function point([x, y]) { return `${x.toFixed(1)} ${y.toFixed(1)}`; }

/** The next of 1, 2, 5, 10, 20, 50, … with a little room above. @param {number} value */
function niceCeiling(value) {
  const wanted = value * 1.15;
  const power = 10 ** Math.floor(Math.log10(wanted));
  return power * ([1, 2, 5].find((step) => step * power >= wanted) ?? 10);
}

/** The figures of the server. */
class ServerPanel {
  #panel = $('server');
  #note = $('server-note');
  #badge = $('server-badge');
  #connections = new LineChart('chart-connections', 1, 4, formatCount);
  #latency = new LineChart('chart-latency', 2, 5, formatMs);
  /** @type {{at: number, in: number, out: number} | null} */ #before = null;

  /** @param {StatsPoller} poller @param {number} ownRtt NaN while not connected */
  show(poller, ownRtt) {
    const { latest, reachable } = poller;
    const fresh = reachable === true && latest !== null;
    this.#panel.classList.toggle('stale', !fresh);
    this.#say(poller);
    this.#connections.add([fresh ? latest.total_connections : NaN]);
    this.#latency.add([ownRtt, fresh ? Number(latest.rtt_ms?.p50 ?? NaN) : NaN]);
    setText($('fig-rtt'), formatMs(ownRtt));
    if (fresh) this.#figures(latest, poller.latestAt);
    this.#describe(latest, ownRtt);
  }

  /** @param {StatsPoller} poller */
  #say({ latest, latestAt, reachable, draining }) {
    let note = '';
    if (reachable === false && latest) note = `The server gives no figures at the moment. These are from ${clock.format(latestAt)}.`;
    else if (reachable === false) note = 'The server gives no figures at the moment.';
    else if (draining) note = 'The server is draining: it takes no newcomers and sends the others away in turn, until it restarts.';
    setText(this.#note, note);
    this.#note.hidden = note === '';
    const badge = reachable === false ? 'no answer' : draining ? 'draining' : '';
    setText(this.#badge, badge);
    this.#badge.hidden = badge === '';
  }

  /** @param {Stats} stats @param {number} at */
  #figures(stats, at) {
    const share = stats.max_connections > 0 ? stats.total_connections / stats.max_connections : 0;
    $('gauge-fill').setAttribute('width', String(Math.min(100, share * 100)));
    $('gauge').classList.toggle('high', share >= 0.8 && share < 1);
    $('gauge').classList.toggle('full', share >= 1);
    setText($('fig-connections'), formatCount(stats.total_connections));
    setText($('fig-capacity'), formatCount(stats.max_connections));
    setText($('fig-p50'), formatMs(Number(stats.rtt_ms?.p50 ?? NaN)));
    setText($('fig-p99'), formatMs(Number(stats.rtt_ms?.p99 ?? NaN)));
    setText($('fig-users'), formatCount(stats.users));
    setText($('fig-rooms'), formatCount(stats.active_rooms));
    setText($('fig-in'), formatCount(stats.messages_in));
    setText($('fig-out'), formatCount(stats.messages_out));
    setText($('fig-pending'), formatCount(stats.pending_handshakes));
    setText($('fig-closing'), formatCount(stats.closing));
    setText($('fig-queued'), formatBytes(stats.queued_bytes));
    setText($('fig-refused'), formatReasons(stats.refused));
    setText($('fig-dropped'), formatReasons(stats.dropped));
    setText($('fig-uptime'), formatSpan(stats.uptime_s));
    this.#rates(stats, at);
  }

  /** @param {Stats} stats @param {number} at */
  #rates(stats, at) {
    const now = { at, in: stats.messages_in, out: stats.messages_out };
    const before = this.#before;
    this.#before = now;
    if (!before || now.at <= before.at || now.in < before.in) return;
    const seconds = (now.at - before.at) / 1000;
    for (const way of /** @type {const} */ (['in', 'out'])) {
      const rate = (now[way] - before[way]) / seconds;
      setText($(`fig-${way}-rate`), `${rate > 0 && rate < 10 ? rate.toFixed(1) : formatCount(Math.round(rate))} per second`);
    }
  }

  /** What the pictures show, for those who do not see them. @param {Stats | null} stats @param {number} ownRtt */
  #describe(stats, ownRtt) {
    if (!stats) return;
    $('gauge').setAttribute('aria-label', `${stats.total_connections} of ${stats.max_connections} connections in use`);
    $('chart-connections').setAttribute('aria-label', `Connections over the last two minutes, now ${stats.total_connections}`);
    $('chart-latency').setAttribute('aria-label', `Round-trip times over the last two minutes, yours now ${formatMs(ownRtt)}`);
  }
}

// ---------------------------------------------------------------------------------------------
// 3. The application
// ---------------------------------------------------------------------------------------------

const UNCONFIRMED_AFTER_MS = 10_000;
const RTT_EVERY_MS = 5_000;
const PRESENCE_EXPECTED_MS = 2_000;
const DEFAULT_ROOM = 'lobby';

/**
 * A message of ours that the server has not answered yet.
 * @typedef {{row: HTMLElement, text: string, to: string, timer: number, again: boolean}} Pending `again`: it was sent once more
 */

/** The room on the screen, from "Join" to "Leave", any number of times. */
class Chat {
  #log = new Log();
  #presence = new Presence();
  #people;
  #composer;
  #status;
  #tabs;
  /** @type {Switchboard | null} */ #client = null;
  /** When the latest attempt to connect began, and when an attempt or a connection ended last. */
  #dialedAt = 0;
  #endedAt = 0;
  /** @type {State} */ #state = { status: 'idle', last: null };
  #me = '';
  #room = '';
  #token = '';
  /** Whether the server has seen this token: one that it refused, or that expired, is of no more use. */
  #tokenUsed = false;

  /** Without an answer, oldest first. @type {Set<Pending>} */ #pending = new Set();
  #unconfirmed = 0;
  #maxBytes = Infinity;
  #pausedUntil = 0;

  #everIn = false;
  #lostAt = 0;
  #presenceTimer = 0;
  #withoutPresence = false;
  #unread = 0;
  /** The last round trip; NaN while not connected. */
  rtt = NaN;

  /**
   * @param {StatsPoller} poller
   * @param {() => void} onLeft
   */
  constructor(poller, onLeft) {
    this.poller = poller;
    this.onLeft = onLeft;
    this.#composer = new Composer((text) => this.#submit(text), () => this.#people.draw());
    this.#people = new People(this.#presence, () => this.#peopleContext(), (name) => this.#whisperTo(name));
    this.#tabs = new Tabs(() => this.#markRead());
    this.#status = new StatusView({
      onReconnect: () => this.#client?.reconnect(),
      onLeave: () => this.leave(),
      onToken: (token) => { this.#useToken(token); this.#client?.reconnect(); },
    });
    document.addEventListener('visibilitychange', () => this.#markRead());
    setInterval(() => { if (document.visibilityState === 'visible') this.#client?.ping(); }, RTT_EVERY_MS);
  }

  /** @param {{name: string, room: string, token: string}} who */
  enter({ name, room, token }) {
    this.#me = token ? '' : name;
    this.#room = room;
    this.#useToken(token);
    this.#state = { status: 'idle', last: null };
    this.#everIn = false;
    this.#unread = 0;
    this.#lostAt = 0;
    this.#log.clear();
    this.#composer.reset();
    this.#forgetPresence();
    this.#tabs.show('talk');
    setText($('room-title'), printable(room));
    this.#showName();
    this.#title();
    this.#open();
    this.#composer.focus();
  }

  leave() {
    const client = this.#client;
    this.#client = null;
    client?.close();
    this.rtt = NaN;
    clearTimeout(this.#presenceTimer);
    this.#token = '';
    this.#room = '';
    for (const { timer } of this.#pending) clearTimeout(timer);
    this.#pending.clear();
    this.onLeft();
  }

  /** One client from entering to leaving, and what it tells while it is the one in use. */
  #open() {
    const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
    const client = new Switchboard(`${scheme}://${location.host}/ws/${encodeURIComponent(this.#room)}`, {
      autoConnect: false,
      // What was not sent, or has no answer yet, stands in the log, and a late answer still counts there.
      queue: false,
      requestTimeout: Infinity,
      getToken: ({ reason }) => this.#nextToken(reason),
    });
    this.#client = client;
    const room = client.subscribe(this.#room);
    /** @type {<T>(what: (event: T) => void) => (event: T) => void} */
    const here = (what) => (event) => { if (this.#client === client) what(event); };
    client.on('state', here((state) => this.#changed(state)));
    client.on('direct', here((frame) => this.#whispered(frame)));
    client.on('error', here((error) => this.#failed(error)));
    client.on('rtt', here((ms) => { this.rtt = ms; this.#status.roundTrip(ms); }));
    client.on('frame', here((frame) => this.#told(frame)));
    room.on('subscribed', here(() => this.#subscribed()));
    room.on('presence', here((frame) => this.#presenceChanged(frame)));
    room.on('message', here((frame) => this.#message(frame)));
    room.on('gap', here((gap) => this.#reportGap(gap)));
    room.on('epoch', here(() => this.#log.notice('The room was started anew meanwhile, so nobody can say whether you missed something.', 'gap')));
    room.on('refused', here(({ frame }) => this.#failed(frame)));
    client.connect();
  }

  /** @param {string} token */
  #useToken(token) {
    this.#token = token;
    this.#tokenUsed = false;
  }

  /**
   * What to sign in with; empty where only the user can say. A name can be said again when a session expires.
   * @param {string} reason
   */
  #nextToken(reason) {
    if (!this.#token) return reason === 'unauthorized' ? '' : this.#me;
    const fresh = !this.#tokenUsed || reason === 'connect';
    this.#tokenUsed = true;
    return fresh ? this.#token : '';
  }

  // The state of the connection

  /** @param {State} state */
  #changed(state) {
    // A socket that is let go of to open another: nothing to count down to.
    if (state.status === 'waiting' && state.why === 'asked') state = { status: 'connecting', last: state.last };
    const before = this.#state;
    this.#state = state;
    if (state.status === 'connecting') this.#dialedAt = performance.now();
    else if (before.status === 'connecting' || before.status === 'connected') this.#endedAt = performance.now();
    this.#composer.enable(state.status === 'connected');
    this.#status.show(state, state.last && explain(state.last, this.#surroundings()));
    if (before.status === 'connected' && state.status !== 'connected') this.#lost(state);
    if (state.status === 'connected') this.#welcomed(state.welcome);
    this.#people.draw();
    if (state.status === 'waiting' && state.last?.phase === 'dialing') this.#lookAround();
    this.#title();
  }

  /** A connection that never opened says nothing of why; the statistics may. */
  async #lookAround() {
    await this.poller.fresh();
    const { last } = this.#state;
    if (this.#state.status !== 'connected' && last) this.#status.show(this.#state, explain(last, this.#surroundings()));
  }

  /** @returns {Surroundings} */
  #surroundings() {
    const { draining, full } = this.poller;
    const reachable = this.poller.answeredAround(this.#dialedAt, this.#endedAt);
    return { room: this.#room, usesToken: this.#token !== '', reachable, draining, full };
  }

  /** @param {State} state */
  #lost(state) {
    this.rtt = NaN;
    this.#lostAt = Date.now();
    clearTimeout(this.#presenceTimer);
    this.#composer.note('');
    this.#unconfirmed = this.#pending.size;
    if (state.last && state.status !== 'connecting') this.#log.notice(`${explain(state.last, this.#surroundings()).title}.`);
  }

  // Frames

  /** @param {Frame} frame */
  #told(frame) {
    if (frame.type === 'authenticated') this.#named(frame.user);
    if (frame.type === 'bye') this.#composer.note('The server is about to close this connection; the page comes back by itself.', { calm: true });
  }

  /** @param {Frame} frame */
  #welcomed(frame) {
    this.#composer.note('');
    this.poller.now();
    if (frame.max_bytes > 0) this.#maxBytes = frame.max_bytes;
    this.#named(frame.user);
    this.#client?.ping();
  }

  /** @param {unknown} user who the server says we are */
  #named(user) {
    if (!isName(user) || user === this.#me) return;
    this.#me = user;
    this.#showName();
  }

  #subscribed() {
    if (this.#everIn) {
      const away = this.#lostAt ? ` after ${formatSpan(Math.max(1, (Date.now() - this.#lostAt) / 1000))}` : '';
      this.#log.notice(`Connected again${away}.`);
    }
    this.#everIn = true;
    this.#forgetPresence();
    this.#presenceTimer = setTimeout(() => { this.#withoutPresence = true; this.#people.draw(); }, PRESENCE_EXPECTED_MS);
  }

  /** @param {Frame} frame */
  #presenceChanged(frame) {
    clearTimeout(this.#presenceTimer);
    this.#withoutPresence = false;
    const { joined, left } = this.#presence.apply(frame);
    const others = joined.filter((name) => name !== this.#me);
    if (others.length) this.#log.comings(`${nameList(others)} joined.`);
    if (left.length) this.#log.comings(`${nameList(left)} left.`);
    this.#people.draw();
  }

  #forgetPresence() {
    clearTimeout(this.#presenceTimer);
    this.#withoutPresence = false;
    this.#presence.clear();
    this.#people.draw();
  }

  /** @param {{sender?: unknown, content: unknown}} frame */
  #message(frame) {
    const sender = isName(frame.sender) ? frame.sender : 'The server';
    const own = sender === this.#me;
    const row = this.#log.message({ sender, own, ...readable(frame.content) });
    if (own) this.#log.fate(row, 'sent', 'From another window of yours');
    else this.#arrived();
  }

  /** @param {{sender?: string, content: unknown}} frame */
  #whispered(frame) {
    const from = frame.sender;
    const sender = isName(from) ? from : 'The server';
    this.#log.message({
      sender, own: false, whisper: 'whispers to you', ...readable(frame.content),
      onReply: isName(from) ? () => this.#whisperTo(from) : undefined,
    });
    this.#arrived();
  }

  /** @param {Gap} gap */
  #reportGap({ from, to, away }) {
    const lost = to - from + 1;
    if (!away) return this.#log.notice(`${plural(lost, 'message')} ${lost === 1 ? 'was' : 'were'} not delivered to you.`, 'gap');
    const own = this.#unconfirmed ? ' Your own unconfirmed ones may be among them.' : '';
    this.#log.notice(`${plural(lost, 'message')} ${lost === 1 ? 'was' : 'were'} sent while you were away and ${lost === 1 ? 'is' : 'are'} not shown here.${own}`, 'gap');
  }

  // Sending

  /** @param {string} typed @returns {boolean} whether the text was taken */
  #submit(typed) {
    const { whisperTo } = this.#composer;
    const intent = parseTyped(typed, this.#presence.names);
    if (intent.kind === 'wrong') return this.#refuse(intent.why);
    if (intent.kind === 'whisper' && intent.text === '') {
      this.#whisperTo(intent.to);
      return true;
    }
    const to = intent.kind === 'whisper' ? intent.to : whisperTo;
    if (to === this.#me) return this.#refuse('That is you. Choose someone else to whisper to.');
    if (this.#state.status !== 'connected') return this.#refuse('You are not connected, so nothing was sent. Your text stays here.');
    const wait = this.#pausedUntil - Date.now();
    if (wait > 0) return this.#refuse(`Too many messages too fast. Try again in ${Math.ceil(wait / 1000)} s.`);
    const bytes = byteLength(JSON.stringify({ type: 'message', channel: this.#room, to, content: intent.text, id: 2 ** 53 }));
    if (bytes > this.#maxBytes) return this.#refuse(`This is too long to send: ${formatBytes(bytes)}, and the server takes ${formatBytes(this.#maxBytes)}.`);
    this.#send(intent.text, to);
    return true;
  }

  /** @param {string} why @returns {false} */
  #refuse(why) {
    this.#composer.note(why);
    return false;
  }

  /** @param {string} text @param {string} to whom; empty for the room */
  #send(text, to) {
    const client = this.#client;
    if (!client) return;
    const row = this.#log.message({ sender: this.#me, own: true, whisper: to ? `whisper to ${printable(to)}` : undefined, text });
    /** @type {Pending} */
    const pending = { row, text, to, timer: 0, again: false };
    pending.timer = setTimeout(() => this.#fail(pending, 'Not confirmed by the server yet.'), UNCONFIRMED_AFTER_MS);
    this.#pending.add(pending);
    this.#log.fate(row, 'pending', 'Sending…');
    const sent = to ? client.direct(to, text) : client.publish(this.#room, text);
    sent.then((n) => this.#acknowledged(pending, n), (error) => this.#notSent(pending, error));
  }

  /**
   * Also after it was given up on: a late answer still counts.
   * @param {Pending} pending
   * @param {number} n to how many a whisper was delivered
   */
  #acknowledged(pending, n) {
    this.#settle(pending);
    if (pending.again) return;
    const devices = pending.to && n > 1 ? ` to ${n} of their windows` : '';
    this.#log.fate(pending.row, 'sent', pending.to ? `Delivered${devices}` : 'Sent');
  }

  /** @param {Pending} pending @param {SwitchboardError} error */
  #notSent(pending, { code, frame }) {
    if (code === 'unconfirmed') return this.#fail(pending, 'Not confirmed: the connection ended first.');
    const ended = !frame && (code === 'not_connected' || code === 'stopped');
    this.#fail(pending, ended ? 'Not sent: the connection ended.' : `Not sent: ${errorWords(frame ?? { code })}.`);
  }

  /** @param {Pending} pending @param {string} words */
  #fail(pending, words) {
    if (!this.#pending.has(pending)) return;
    this.#settle(pending);
    this.#log.fate(pending.row, 'failed', words, () => {
      if (this.#state.status !== 'connected') return void this.#refuse('You are not connected yet.');
      pending.row.remove();
      pending.again = true;
      this.#send(pending.text, pending.to);
      this.#composer.focus();
    });
  }

  /** @param {Pending} pending */
  #settle(pending) {
    clearTimeout(pending.timer);
    this.#pending.delete(pending);
  }

  /** An `error` that answers no message: to the box, or into the log. @param {any} error */
  #failed(error) {
    if (error instanceof Error) throw error;
    if (error.code === 'rate_limited') return this.#slowDown(Number(error.retry_after_ms) || 1_000);
    this.#log.notice(`The server answered with an error: ${errorWords(error)}.`, 'problem');
  }

  /** The message that was over the limit fails by itself. @param {number} ms */
  #slowDown(ms) {
    this.#pausedUntil = Date.now() + ms;
    this.#composer.note(`Too many messages too fast. Try again in ${Math.ceil(ms / 1000)} s.`, { forMs: ms });
  }

  // Small things

  #peopleContext() {
    return {
      me: this.#me,
      whisperTo: this.#composer.whisperTo,
      silent: this.#withoutPresence,
      connected: this.#state.status === 'connected',
    };
  }

  /** @param {string} name */
  #whisperTo(name) {
    this.#tabs.show('talk');
    this.#composer.whisper(name);
  }

  #showName() { setText($('my-name'), printable(this.#me) || '…'); }

  #arrived() {
    if (document.visibilityState === 'visible' && this.#tabs.current === 'talk') return;
    this.#unread += 1;
    this.#title();
  }

  #markRead() {
    if (document.visibilityState !== 'visible' || this.#tabs.current !== 'talk') return;
    this.#unread = 0;
    this.#title();
  }

  #title() {
    const unread = this.#unread ? `(${this.#unread}) ` : '';
    document.title = this.#room ? `${unread}${printable(this.#room)} · Switchboard chat` : 'Switchboard chat';
    this.#tabs.unread(this.#unread);
  }
}

/**
 * A message's content as text. Other clients may send any JSON.
 * @param {unknown} content
 */
function readable(content) {
  if (typeof content === 'string') return { text: content, isData: false };
  const text = /** @type {any} */ (content)?.text;
  if (typeof text === 'string') return { text, isData: false };
  return { text: JSON.stringify(content, null, 2) ?? '', isData: true };
}

/** Which part a narrow screen shows; a wide one shows all. */
class Tabs {
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

/** The first screen: a name, a room, perhaps a token. */
class JoinForm {
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
    this.complete = linked || visit.wasReloaded();
  }

  /** Joins with what the fields hold, where that will do. */
  submit() {
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
function showOnJoin({ latest, reachable, draining, full }) {
  const line = $('join-server');
  if (reachable === false) return setText(line, 'The server does not answer at the moment.');
  if (!latest) return;
  if (draining) return setText(line, 'The server is restarting and takes no newcomers.');
  const seats = `${formatCount(latest.total_connections)} of ${formatCount(latest.max_connections)} connections in use`;
  setText(line, full ? `Server full: ${seats}.` : `${seats}, ${plural(latest.active_rooms ?? 0, 'room')} open.`);
}

/** Lets others follow: copies the room's address, without a name. @param {() => string} room */
function bindCopyLink(room) {
  const copy = $('copy-link');
  copy.hidden = !navigator.clipboard;
  copy.addEventListener('click', async () => {
    const link = `${location.origin}${location.pathname}?room=${encodeURIComponent(room())}`;
    try {
      await navigator.clipboard.writeText(link);
      setText($('announcer'), 'Link copied.');
      copy.classList.add('done');
      setTimeout(() => copy.classList.remove('done'), 1_500);
    } catch {
      prompt('The address of this room:', link);
    }
  });
}

function main() {
  new Theme();
  const panel = new ServerPanel();
  const poller = new StatsPoller((it) => {
    panel.show(it, chat.rtt);
    showOnJoin(it);
  });
  const chat = new Chat(poller, () => show('join'));
  const form = new JoinForm((who) => {
    room = who.room;
    // A reload comes back to this room, a token excepted. A name stays in the address only where it was given there.
    visit.remember(who.token === '');
    const query = new URLSearchParams(location.search);
    query.set('room', who.room);
    if (query.has('name')) query.set('name', who.name);
    history.replaceState(null, '', `${location.pathname}?${query}`);
    show('chat');
    chat.enter(who);
  });
  let room = '';
  bindCopyLink(() => room);

  /** @param {'join' | 'chat'} screen */
  function show(screen) {
    $('join').hidden = screen !== 'join';
    $('chat').hidden = screen !== 'chat';
    if (screen === 'chat') return;
    document.title = 'Switchboard chat';
    visit.remember(false);
    form.focus();
  }

  poller.start();
  if (!form.complete || !form.submit()) show('join');
}

main();
