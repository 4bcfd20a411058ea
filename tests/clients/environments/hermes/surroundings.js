// What React Native has beside its engine, with the polyfills that the client's README asks for, as far as the client needs
// it; and a server that its sockets reach.

Symbol.asyncIterator ??= Symbol('Symbol.asyncIterator');

// The timers of Hermes' own program keep no time.
const { setTimeout: soon } = globalThis;
const timers = new Set();
globalThis.setTimeout = (work, milliseconds, ...rest) => {
  const timer = {};
  const due = Date.now() + milliseconds;
  const look = () => {
    if (!timers.has(timer)) return;
    if (Date.now() < due) return soon(look);
    timers.delete(timer);
    work(...rest);
  };
  timers.add(timer);
  soon(look);
  return timer;
};
globalThis.clearTimeout = (timer) => timers.delete(timer);

globalThis.console = { debug: print };
globalThis.performance = { now: () => Date.now() };
globalThis.queueMicrotask = (work) => void Promise.resolve().then(work);
globalThis.crypto = { getRandomValues: (bytes) => bytes.map(() => Math.random() * 256) };

globalThis.btoa = (text) => {
  const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  const bits = [...text].map((one) => one.charCodeAt(0).toString(2).padStart(8, '0')).join('');
  const encoded = (bits.match(/.{1,6}/g) ?? []).map((six) => digits[parseInt(six.padEnd(6, '0'), 2)]).join('');
  return encoded.padEnd(Math.ceil(encoded.length / 4) * 4, '=');
};

globalThis.AbortController = class {
  signal = { aborted: false, addEventListener() {}, removeEventListener() {} };
  abort() {
    if (this.signal.aborted) return;
    this.signal.aborted = true;
    this.signal.onabort?.();
  }
};

globalThis.URL = class {
  constructor(address) {
    [, this.protocol, this.rest, this.search, this.hash] = /^(\w+:)([^?#]*)(\?[^#]*)?(#.*)?$/.exec(address).map((part) => part ?? '');
  }
  get href() {
    const query = this.search.replace(/^\??/, '?');
    return this.protocol + this.rest + (query === '?' ? '' : query) + this.hash;
  }
};

/** One room, as far as the conversation needs it. */
const room = { seq: 0, members: new Map() };
const users = new Map(['ann', 'bob'].map((name) => [`base64url.bearer.switchboard.${btoa(name).replace(/=/g, '')}`, name]));

globalThis.WebSocket = class {
  bufferedAmount = 0;
  constructor(url, protocols) {
    this.user = users.get(protocols[1]);
    queueMicrotask(() => {
      this.onopen();
      this.hears({ type: 'welcome', connection: this.user, user: this.user, ping_ms: 25_000, max_bytes: 65_536 });
    });
  }
  hears(frame) { queueMicrotask(() => this.onmessage?.({ data: JSON.stringify(frame) })); }
  send(text) {
    const { type, id, channel, content, to, timestamp } = JSON.parse(text);
    if (type === 'subscribe') {
      room.members.set(this.user, this);
      this.hears({ type: 'subscribed', id, channel, seq: room.seq, epoch: 'e', first: 1, recovered: true });
    } else if (type === 'message') {
      room.seq += 1;
      room.members.forEach((member) => member !== this && member.hears({ type, channel, content, sender: this.user, seq: room.seq }));
      this.hears({ type: 'ack', id, seq: room.seq });
    } else if (type === 'direct') {
      room.members.get(to).hears({ type, content, sender: this.user });
      this.hears({ type: 'ack', id, delivered: 1 });
    } else if (type === 'ping') {
      this.hears({ type: 'pong', timestamp });
    }
  }
  close(code = 1000) { queueMicrotask(() => this.onclose?.({ code, reason: '' })); }
};
