// A client of the chat protocol on npm's ws, which keeps what it was told.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import WebSocket from 'ws';
import { until } from './wait.mjs';

export const JSON_PROTOCOL = 'switchboard.v1.json';

export class Client {
  /** Every message so far, parsed; `next` gives each once. */
  messages = [];
  /** Pings of the server so far. */
  pings = 0;
  /** { code, reason } of the end. */
  closed = null;
  /** { status, headers, body } where the upgrade was refused. */
  refused = null;
  opened = false;
  #read = 0;

  /** The options of ws, `protocols`, `scheme`, and what to do with each message as it comes: `answer`. */
  constructor(server, path, options = {}) {
    const { protocols = [], scheme = 'ws', answer = () => {}, ...rest } = options;
    const url = `${scheme}://${server.host}${path}`;
    this.socket = new WebSocket(url, protocols, { perMessageDeflate: false, ...rest });
    this.socket.on('open', () => (this.opened = true));
    this.socket.on('message', (data, binary) => {
      const message = binary ? data : JSON.parse(data.toString());
      this.messages.push(message);
      answer(message, this);
    });
    this.socket.on('ping', () => (this.pings += 1));
    this.socket.on('error', (error) => (this.error = error));
    this.socket.on('close', (code, reason) => {
      this.closed ??= { code, reason: reason.toString() };
    });
    this.socket.on('unexpected-response', (_, response) => {
      let body = '';
      response.on('data', (text) => (body += text));
      response.on('end', () => {
        this.refused = { status: response.statusCode, headers: response.headers, body };
        this.closed = { code: 1006, reason: '' };
      });
    });
  }

  /** Connects and waits until it is in. */
  static async enter(server, path, options) {
    const client = new Client(server, path, options);
    await client.verdict();
    assert.ok(client.in, `not let in: ${client}`);
    return client;
  }

  /** Logged in by name, in the lobby if one is named. */
  static as(server, name, lobby = '', options) {
    return Client.enter(server, `/ws${lobby && '/'}${lobby}?token=${name}`, options);
  }

  /** Whether it has been welcomed. */
  get in() {
    return this.messages.some((it) => it.type === 'welcome');
  }

  get user() {
    return this.messages.find((it) => it.type === 'welcome').user;
  }

  /** Waits until it is in or refused. */
  async verdict() {
    await until(() => this.in || this.closed, 'a welcome or a refusal');
    return this;
  }

  send(message) {
    this.socket.send(typeof message === 'object' ? JSON.stringify(message) : message);
  }

  /** The next message not yet given that has all of `expected`; those before it are passed over. */
  async next(expected, milliseconds) {
    const fits = (it) => Object.entries(expected).every(([key, value]) => matches(it[key], value));
    const find = () => {
      while (this.#read < this.messages.length) {
        const message = this.messages[this.#read++];
        if (fits(message)) return message;
      }
      if (this.closed) throw new Error(`closed, waiting for ${JSON.stringify(expected)}: ${this}`);
      return null;
    };
    return until(find, () => `${JSON.stringify(expected)}: ${this}`, milliseconds);
  }

  /** Asks for a pong and waits for it: all that was sent before has been handled. */
  async roundTrip() {
    const timestamp = Math.floor(Math.random() * 2 ** 40);
    this.send({ type: 'ping', timestamp });
    return this.next({ type: 'pong', timestamp });
  }

  /** Waits for the end: { code, reason }. */
  async end(milliseconds) {
    return until(() => this.closed, () => `an end: ${this}`, milliseconds);
  }

  async leave() {
    this.socket.close();
    await this.end();
  }

  /** Who was there, in each list that it was told from message number `from` on. */
  presences(from = 0) {
    return this.messages.slice(from).filter((it) => it.type === 'presence').map((it) => it.users);
  }

  /** Waits until it is told that exactly `users` are in a room. */
  async sees(...users) {
    return this.next({ type: 'presence', count: users.length, users });
  }

  toString() {
    const last = this.messages.slice(-5).map((it) => JSON.stringify(it).slice(0, 200));
    const end = JSON.stringify(this.refused ?? this.closed);
    return `end ${end}, error ${this.error?.message}, last messages [${last.join(', ')}]`;
  }
}

/** A client in a process of its own, which can be stopped like one whose host has gone. */
export async function sleeper(t, server, path) {
  const program = fileURLToPath(new URL('./sleeper.mjs', import.meta.url));
  const child = spawn(process.execPath, [program, `ws://${server.host}${path}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let told = '';
  child.stdout.setEncoding('utf8').on('data', (text) => (told += text));
  t.after(() => child.kill('SIGKILL'));
  await until(() => told.includes('welcome'), 'the other process to be in');
  return {
    stop: () => child.kill('SIGSTOP'),
    resume: () => child.kill('SIGCONT'),
    told: () => told,
  };
}

function matches(value, expected) {
  if (typeof expected === 'object' && expected !== null) {
    return JSON.stringify(value) === JSON.stringify(expected);
  }
  return value === expected;
}
