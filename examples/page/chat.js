// @ts-check
/** The room on the screen, and the client that is in it. */

import { Composer } from './composer.js';
import { $, setText } from './elements.js';
import { formatBytes, formatSpan, plural } from './format.js';
import { Log } from './log.js';
import { byteLength, isName, nameList, printable } from './names.js';
import { People } from './people.js';
import { Presence } from './presence.js';
import { StatusView } from './status.js';
import { Switchboard } from './switchboard.js';
import { Tabs } from './tabs.js';
import { parseTyped } from './typed.js';
import { errorWords, explain } from './words.js';

/**
 * @typedef {import('../../client-ts/src/index.js').State} State
 * @typedef {import('../../client-ts/src/index.js').Frame} Frame
 * @typedef {import('../../client-ts/src/index.js').Gap} Gap
 * @typedef {import('../../client-ts/src/index.js').SwitchboardError} SwitchboardError
 * @typedef {import('./statistics.js').StatsPoller} StatsPoller
 * @typedef {import('./words.js').Surroundings} Surroundings
 */

const UNCONFIRMED_AFTER_MS = 10_000;
const RTT_EVERY_MS = 5_000;
const PRESENCE_EXPECTED_MS = 2_000;

/**
 * A message of ours that the server has not answered yet.
 * @typedef {{row: HTMLElement, text: string, to: string, timer: number, again: boolean}} Pending `again`: it was sent once more
 */

/** The room on the screen, from "Join" to "Leave", any number of times. */
export class Chat {
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
