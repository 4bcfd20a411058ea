// @ts-check
/** The user's visit, from "Join" to "Leave": one connection, the rooms on it, and the one on the screen. */

import { Composer } from './composer.js';
import { Conversation } from './conversation.js';
import { $, named, nameList, setText } from './elements.js';
import { drafts } from './memory.js';
import { isName, isolated, printable } from './names.js';
import { Outbox } from './outbox.js';
import { People } from './people.js';
import { Room, readable } from './room.js';
import { RoomList } from './rooms.js';
import { StatusView } from './status.js';
import { Switchboard } from './switchboard.js';
import { Tabs } from './tabs.js';
import { parseTyped } from './typed.js';
import { errorWords, explain, explainRefusal } from './words.js';

/**
 * @typedef {import('../../client-ts/src/index.js').State} State
 * @typedef {import('../../client-ts/src/index.js').Frame} Frame
 * @typedef {import('./statistics.js').StatsPoller} StatsPoller
 * @typedef {import('./words.js').Surroundings} Surroundings
 */

const RTT_EVERY_MS = 5_000;

/** Any number of visits, one after the other. */
export class Chat {
  /** @type {Map<string, Room>} */ #rooms = new Map();
  /** @type {Room | null} */ #current = null;
  #conversation = new Conversation();
  #outbox;
  #people;
  #roomList;
  #composer;
  #status;
  #tabs;
  /** @type {Switchboard | null} */ #client = null;
  /** When the latest attempt to connect began, and when an attempt or a connection ended last. */
  #dialedAt = 0;
  #endedAt = 0;
  /** @type {State} */ #state = { status: 'idle', last: null };
  #me = '';
  #token = '';
  /** Whether the server has seen this token: one that it refused, or that expired, is of no more use. */
  #tokenUsed = false;
  /** The last round trip; NaN while not connected. */
  rtt = NaN;

  /**
   * @param {StatsPoller} poller
   * @param {object} handlers
   * @param {(room: string, rooms: string[]) => void} handlers.onShow
   * @param {() => void} handlers.onLeft
   */
  constructor(poller, { onShow, onLeft }) {
    this.poller = poller;
    this.onShow = onShow;
    this.onLeft = onLeft;
    this.#outbox = new Outbox({
      me: () => this.#me,
      client: () => this.#client,
      isConnected: () => this.#state.status === 'connected',
      refuse: (why) => this.#composer.note(why),
    });
    this.#composer = new Composer({
      onSubmit: (text) => this.#submit(text),
      onInput: (text) => this.#wrote(text),
      onWhisperChange: () => this.#people.draw(),
    });
    this.#people = new People(() => this.#peopleContext(), (name) => this.#whisperTo(name));
    this.#roomList = new RoomList(() => ({ rooms: [...this.#rooms.values()], current: this.#current }), {
      onShow: (name) => this.show(name),
      onClose: (room) => this.#close(room),
    });
    this.#tabs = new Tabs(() => {
      this.#markSeen();
      this.#roomList.reveal();
    });
    this.#status = new StatusView({
      onReconnect: () => this.#reconnect(),
      onLeave: () => this.leave(),
      onToken: (token) => { this.#useToken(token); this.#client?.reconnect(); },
    });
    document.addEventListener('visibilitychange', () => this.#markSeen());
    setInterval(() => { if (document.visibilityState === 'visible') this.#client?.ping(); }, RTT_EVERY_MS);
  }

  get isOpen() { return this.#client !== null; }

  /** @param {{name: string, rooms: string[], token: string}} who the last of the rooms is shown */
  enter({ name, rooms, token }) {
    this.#me = token ? '' : name;
    this.#useToken(token);
    this.#state = { status: 'idle', last: null };
    this.#showName();
    this.#open();
    for (const room of rooms) this.#room(room);
    this.show(rooms[rooms.length - 1]);
  }

  leave() {
    this.#keepDraft();
    const client = this.#client;
    this.#client = null;
    for (const room of this.#rooms.values()) room.close();
    client?.close();
    this.#rooms.clear();
    this.#current = null;
    this.rtt = NaN;
    this.#token = '';
    this.#outbox.clear();
    this.onLeft();
  }

  /** Shows a room, and comes into it where that is not so yet. @param {string} name */
  show(name) {
    this.#tabs.show('talk');
    if (this.#current?.name !== name) {
      this.#keepDraft();
      const room = this.#current = this.#room(name);
      setText($('room-title'), printable(name));
      this.#conversation.show(room.log);
      this.#composer.reset(drafts.get(name));
      this.#drawTyping();
      this.#showStatus();
      this.#changedRoom();
      this.onShow(name, [...this.#rooms.keys()]);
    }
    this.#markSeen();
    this.#composer.focus();
  }

  /** @param {string} name */
  #room(name) {
    const known = this.#rooms.get(name);
    if (known) return known;
    const room = new Room(name, {
      me: () => this.#me,
      isWatched: (one) => one === this.#current && document.visibilityState === 'visible' && this.#tabs.current === 'talk',
      isWaiting: (one) => this.#outbox.isWaiting(one),
      onEntry: (one) => this.#entryChanged(one),
      onPeople: (one) => { if (one === this.#current) this.#people.draw(); },
      onTyping: (one) => { if (one === this.#current) this.#drawTyping(); },
      onUnread: () => this.#drawUnread(),
    });
    this.#rooms.set(name, room);
    if (this.#client && this.#state.status === 'connected') room.open(this.#client);
    return room;
  }

  /** @param {Room} room */
  #close(room) {
    if (this.#rooms.size === 1) return this.leave();
    drafts.set(room.name, '');
    room.close();
    this.#rooms.delete(room.name);
    if (room === this.#current) {
      this.#current = null;
      this.show([...this.#rooms.keys()][0]);
    } else if (this.#current) this.onShow(this.#current.name, [...this.#rooms.keys()]);
    this.#changedRoom();
  }

  #keepDraft() { if (this.#current) drafts.set(this.#current.name, this.#composer.text); }

  /** One client from entering to leaving, and what it tells while it is the one in use. */
  #open() {
    const client = new Switchboard('/ws', {
      autoConnect: false,
      // What has no answer yet stands in the log, and a late answer still counts there.
      requestTimeout: Infinity,
      // Windows of one name share a connection, so that none signs the other out. A token stays in its window.
      shared: this.#token ? false : this.#me,
      getToken: ({ reason }) => this.#nextToken(reason),
    });
    this.#client = client;
    /** @type {<T>(what: (event: T) => void) => (event: T) => void} */
    const here = (what) => (event) => { if (this.#client === client) what(event); };
    client.on('state', here((state) => this.#changed(state)));
    client.on('direct', here((frame) => this.#whispered(frame)));
    client.on('error', here((error) => this.#failed(error)));
    client.on('rtt', here((ms) => { this.rtt = ms; this.#status.roundTrip(ms); }));
    client.on('frame', here((frame) => this.#told(frame)));
    client.connect();
  }

  #reconnect() {
    const { status } = this.#state;
    const room = this.#current;
    if (status === 'connected' && room?.refused && this.#client) {
      room.open(this.#client);
      this.#showStatus();
    } else {
      if (room) room.refused = null;
      this.#client?.reconnect();
    }
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
    if (before.status === 'connected' && state.status !== 'connected') this.#lost(state);
    if (state.status === 'connected') this.#welcomed(state.welcome);
    this.#showStatus();
    this.#changedRoom();
    if (state.status === 'waiting' && state.last?.phase === 'dialing') this.#lookAround();
  }

  /** A connection that never opened says nothing of why; the statistics may. */
  async #lookAround() {
    await this.poller.fresh();
    if (this.#state.status !== 'connected' && this.#state.last) this.#showStatus();
  }

  /** The state of the connection, or that the room on the screen is closed to the user. */
  #showStatus() {
    const { refused, name } = this.#current ?? { refused: null, name: '' };
    this.#composer.enable(this.#state.status === 'connected' && !refused);
    if (refused && (this.#state.status === 'connected' || this.#state.status === 'stopped')) {
      const last = { code: 0, reason: '', phase: /** @type {const} */ ('welcomed'), silent: false };
      this.#status.show({ status: 'stopped', why: 'code', last }, explainRefusal(refused, name));
    } else this.#status.show(this.#state, this.#state.last && explain(this.#state.last, this.#surroundings()));
  }

  /** @returns {Surroundings} */
  #surroundings() {
    const { draining, full } = this.poller;
    const reachable = this.poller.answeredAround(this.#dialedAt, this.#endedAt);
    return { room: this.#current?.name ?? '', usesToken: this.#token !== '', reachable, draining, full };
  }

  /** @param {State} state */
  #lost(state) {
    this.rtt = NaN;
    this.#composer.note('');
    const words = state.last && state.status !== 'connecting' ? `${explain(state.last, this.#surroundings()).title}.` : '';
    for (const room of this.#rooms.values()) room.lose(room.refused ? '' : words);
  }

  /** @param {Frame} frame */
  #welcomed(frame) {
    this.#composer.note('');
    this.poller.now();
    if (frame.max_bytes > 0) this.#outbox.maxBytes = frame.max_bytes;
    this.#named(frame.user);
    const client = this.#client;
    client?.ping();
    if (client) for (const room of this.#rooms.values()) if (!room.isOpen) room.open(client);
  }

  // Frames

  /** @param {Frame} frame */
  #told(frame) {
    if (frame.type === 'authenticated') this.#named(frame.user);
    if (frame.type === 'bye') this.#composer.note('The server is about to close this connection; the page comes back by itself.', { calm: true });
    if (frame.type === 'cluster') for (const room of this.#rooms.values()) room.tellCluster(frame.up !== false);
    if (frame.type === 'unsubscribed' && frame.id === undefined) this.#rooms.get(frame.channel)?.shutOut({ type: 'error', code: 'forbidden' });
  }

  /** @param {unknown} user who the server says we are */
  #named(user) {
    if (!isName(user) || user === this.#me) return;
    this.#me = user;
    this.#showName();
  }

  /** @param {{sender?: string, content: unknown}} frame */
  #whispered({ sender, content }) {
    const room = this.#current;
    if (!room) return;
    const onReply = isName(sender) ? () => this.#whisperTo(sender) : undefined;
    room.log.message({ sender: isName(sender) ? sender : 'The server', own: false, whisper: 'whispers to you', ...readable(content), onReply });
    room.count();
  }

  /** An `error` that answers no request: to the box, or into the log. @param {any} error */
  #failed(error) {
    if (error instanceof Error) throw error;
    if (error.code === 'rate_limited') return this.#slowDown(Number(error.retry_after_ms) || 1_000);
    this.#current?.log.notice(`The server answered with an error: ${errorWords(error)}.`, 'problem');
  }

  /** The message that was over the limit fails by itself. @param {number} ms */
  #slowDown(ms) {
    this.#outbox.pause(ms);
    this.#composer.note(`Too many messages too fast. Try again in ${Math.ceil(ms / 1000)} s.`, { forMs: ms });
  }

  // Sending

  /** @param {string} typed @returns {boolean} whether the text was taken */
  #submit(typed) {
    const room = this.#current;
    if (!room) return false;
    const intent = parseTyped(typed, room.people?.users ?? []);
    if (intent.kind === 'whisper' && intent.text === '') {
      this.#whisperTo(intent.to);
      return true;
    }
    const to = intent.kind === 'whisper' ? intent.to : this.#composer.whisperTo;
    const problem = intent.kind === 'wrong' ? intent.why : this.#outbox.problem(room, intent.text, to);
    if (intent.kind === 'wrong' || problem) {
      this.#composer.note(problem);
      return false;
    }
    this.#outbox.send(room, intent.text, to);
    return true;
  }

  /** @param {string} text */
  #wrote(text) {
    // A whisper is nobody else's business, nor that there is one.
    this.#current?.tellTyping(text !== '' && !text.startsWith('/') && !this.#composer.whisperTo);
  }

  // The views

  /** The user is in a room, or is shut out. @param {Room} room */
  #entryChanged(room) {
    if (room.refused && this.#rooms.size === 1) this.#client?.close();
    if (room === this.#current) this.#showStatus();
    this.#changedRoom();
  }

  #changedRoom() {
    this.#people.draw();
    this.#drawUnread();
  }

  #drawUnread() {
    this.#roomList.draw();
    this.#title();
  }

  #drawTyping() {
    const names = this.#current?.typists.names ?? [];
    $('typing').replaceChildren(...(names.length ? [...nameList(names), names.length === 1 ? ' is typing…' : ' are typing…'] : []));
  }

  #peopleContext() {
    const room = this.#current;
    return {
      people: room?.people ?? null,
      me: this.#me,
      whisperTo: this.#composer.whisperTo,
      silent: room?.withoutPresence ?? false,
      isIn: room?.isIn ?? false,
    };
  }

  /** @param {string} name */
  #whisperTo(name) {
    this.#tabs.show('talk');
    this.#composer.whisper(name);
  }

  #showName() { $('my-name').replaceChildren(this.#me ? named(this.#me) : '…'); }

  /** The user may have come to see what is new in the room on the screen. */
  #markSeen() {
    if (document.visibilityState !== 'visible' || this.#tabs.current !== 'talk' || !this.#current) return;
    this.#current.markSeen();
    this.#changedRoom();
  }

  #title() {
    const unread = [...this.#rooms.values()].reduce((sum, room) => sum + room.unread, 0);
    const count = unread ? `(${unread}) ` : '';
    document.title = this.#current ? `${count}${isolated(this.#current.name)} · Switchboard chat` : 'Switchboard chat';
    this.#tabs.unread(this.#current?.unread ?? 0);
  }
}
