import { given } from './given.js';
import { utf8 } from './text.js';
import type { Socket } from './transport.js';

/** A way to reach the server. */
export type TransportName = 'websocket' | 'sse';

export interface TransportOptions {
  /** The constructor of WebSockets: `globalThis.WebSocket` by default. */
  webSocket?: (new (url: string, protocols: string[]) => Socket) | undefined;
  /** The path of WebSockets on the server (`/ws`), which in the URL of the client becomes `eventStream`. */
  endpoint?: string | undefined;
  /** The path of event streams on the server (`/sse`). */
  eventStream?: string | undefined;
  /** How long a transport may take to open before the next one is tried, in milliseconds (5 000). */
  timeout?: number | undefined;
  /** What fetches: `globalThis.fetch` by default. */
  fetch?: typeof fetch | undefined;
}

type Ended = { code: number; reason: string };

const enum Post {
  /** Messages in one request, as many as the server takes. */
  Messages = 64,
  /** Bytes in one request, until the server says how many it takes. */
  Bytes = 4_096,
}

/** How often the transport that was in use may fail to open before the others are tried again. */
const PATIENCE = 3;

/** The close codes of refusals, which an event stream tells by the body of its HTTP response. */
const CODES: ReadonlyMap<string, number> = new Map([
  ['unauthorized', 4001], ['server_full', 4002], ['lobby_full', 4002], ['forbidden', 4003], ['already_connected', 4005], ['ip_limit', 4100], ['restart', 1012], ['internal', 1011],
]);

const BEARER = 'base64url.bearer.switchboard.';

/**
 * Returns a constructor for the option `webSocket` of a client, which tries these transports in order until one opens, and remembers it:
 * for this constructor, and in a page for the rest of its session.
 */
export function transports(wanted?: readonly TransportName[] | null, all?: TransportOptions | null): new (url: string, protocols: string[]) => Socket {
  const names = wanted ?? ['websocket', 'sse'];
  const options = given(all);
  const { webSocket = globalThis.WebSocket, timeout = 5_000 } = options;
  const key = `switchboard transport ${names.join()}`;
  let good = names.find((name) => name === storage()?.getItem(key));
  let failures = 0;

  return class extends AnySocket {
    constructor(url: string, protocols: string[]) {
      super();
      const alone = good && failures < PATIENCE;
      const waiting = alone ? [good!] : [...new Set(good ? [good, ...names] : names)];
      const next = (): void => {
        if (this._ended) return;
        const name = waiting.shift();
        if (!name) {
          failures += 1;
          return this._end({ code: 1006, reason: '' });
        }
        const failed = (): void => { if (this._drop(socket)) next(); };
        let socket: Socket | undefined;
        try {
          socket = name === 'sse' ? new EventStreamSocket(url, protocols, options) : new webSocket(url, protocols);
        } catch {
          return next();
        }
        // For the last one, the client has a timeout of its own.
        const timer = waiting.length ? setTimeout(failed, timeout) : undefined;
        this._use(socket, timer, () => {
          good = name;
          failures = 0;
          storage()?.setItem(key, name);
        }, failed);
      };
      // As a WebSocket does, this tells nothing before its owner listens.
      queueMicrotask(next);
    }
  };
}

/** Storage may be forbidden. */
function storage(): Storage | undefined {
  try {
    return globalThis.sessionStorage;
  } catch {
    return undefined;
  }
}

/** A socket that passes on the first one that opens. */
class AnySocket implements Socket {
  onopen: Socket['onopen'] = null;
  onmessage: Socket['onmessage'] = null;
  onclose: Socket['onclose'] = null;
  onerror: Socket['onerror'] = null;
  #socket: Socket | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** @internal */
  _ended = false;

  get bufferedAmount(): number { return this.#socket?.bufferedAmount ?? 0; }

  get extensions(): string { return this.#socket?.extensions ?? ''; }

  send(data: string): void { this.#socket?.send(data); }

  close(code?: number, reason?: string): void {
    if (this.#socket) this.#socket.close(code, reason);
    else this._end({ code: code ?? 1005, reason: reason ?? '' });
  }

  terminate(): void {
    const socket = this.#socket;
    if (socket?.terminate) socket.terminate();
    else if (this._drop(socket)) this._end({ code: 1006, reason: '' });
  }

  _use(socket: Socket, timer: ReturnType<typeof setTimeout> | undefined, works: () => void, failed: () => void): void {
    let opened = false;
    this.#socket = socket;
    this.#timer = timer;
    socket.onopen = (event: never) => {
      opened = true;
      clearTimeout(timer);
      works();
      this.onopen?.(event);
    };
    socket.onmessage = (event: never) => this.onmessage?.(event);
    socket.onerror = () => {};
    socket.onclose = (event: Ended) => {
      clearTimeout(timer);
      // A refusal is an answer.
      if (opened || event.code !== 1006) this._end(event);
      else failed();
    };
  }

  /** Gives up this socket; returns whether it was in use. */
  _drop(socket: Socket | undefined): boolean {
    if (this._ended || !socket || socket !== this.#socket) return false;
    clearTimeout(this.#timer);
    this.#socket = undefined;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
    return true;
  }

  _end(event: Ended): void {
    if (this._ended) return;
    this._ended = true;
    this.onclose?.(event as never);
  }
}

/** What looks like a WebSocket, but listens to an event stream and posts what it sends. */
class EventStreamSocket implements Socket {
  onopen: Socket['onopen'] = null;
  onmessage: Socket['onmessage'] = null;
  onclose: Socket['onclose'] = null;
  onerror: Socket['onerror'] = null;
  readonly #fetch: typeof fetch;
  readonly #abort = new AbortController();
  /** The URL of the event streams, without the room. */
  readonly #base: string;
  #session = '';
  /** What is not posted yet, or not known to have arrived. */
  #waiting: string[] = [];
  #bytes = 0;
  /** The most bytes in one request, unless one message has more. */
  #most: number = Post.Bytes;
  #posting = false;
  #closing: Ended | undefined;
  #ended = false;

  constructor(url: string, protocols: string[], { fetch = globalThis.fetch, endpoint = '/ws', eventStream = '/sse' }: TransportOptions = {}) {
    this.#fetch = (...args) => fetch(...args);
    const target = new URL(url);
    target.protocol = target.protocol.replace('ws', 'http');
    const { pathname } = target;
    const slash = pathname.lastIndexOf('/');
    // The last segment is the room, unless it is that of the endpoint itself.
    const end = pathname.slice(0, slash).endsWith(endpoint) ? slash : pathname.length;
    if (!pathname.slice(0, end).endsWith(endpoint)) throw new TypeError(`no path of WebSockets: ${pathname}`);
    const base = pathname.slice(0, end - endpoint.length) + eventStream;
    this.#base = target.origin + base;
    target.pathname = base + pathname.slice(end);
    const headers: Record<string, string> = { Accept: 'text/event-stream' };
    const token = decode(protocols.find((one) => one.startsWith(BEARER)));
    // A header would need a preflight elsewhere, and does not take every character.
    if (token && target.origin === globalThis.location?.origin && /^[\x21-\x7e]+$/.test(token)) headers['Authorization'] = `Bearer ${token}`;
    else if (token) target.searchParams.set('token', token);
    void this.#listen(target.href, headers);
  }

  get bufferedAmount(): number { return this.#bytes; }

  send(data: string): void {
    if (this.#closing || this.#ended) return;
    this.#waiting.push(data);
    this.#bytes += utf8(data).length;
    void this.#post();
  }

  /** Closes once what was sent before has arrived. */
  close(code = 1005, reason = ''): void {
    this.#closing ??= { code, reason };
    if (!this.#posting) queueMicrotask(() => this.#end(this.#closing!));
  }

  terminate(): void { this.#end({ code: 1006, reason: '' }); }

  async #listen(url: string, headers: Record<string, string>): Promise<void> {
    try {
      const response = await this.#fetch(url, { headers, cache: 'no-store', signal: this.#abort.signal });
      if (response.status !== 200 || !response.body) {
        const reason = (await response.text()).trim();
        return this.#end({ code: CODES.get(reason) ?? 1006, reason });
      }
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = '';
      for (let part; !(part = await reader.read()).done;) {
        const events = (rest + part.value).split('\n\n');
        rest = events.pop()!;
        for (const event of events) this.#take(event);
      }
    } catch {
      // The network failed, or this was closed.
    }
    this.#end({ code: 1006, reason: '' });
  }

  #take(event: string): void {
    const fields = event.split('\n');
    const read = (name: string): string[] => fields.filter((line) => line.startsWith(`${name}: `)).map((line) => line.slice(name.length + 2));
    const data = read('data').join('\n');
    switch (read('event')[0]) {
      case undefined:
        // The client says nothing before it is welcome.
        if (data.startsWith('{"type":"welcome"')) this.#most = (JSON.parse(data) as { max_bytes: number }).max_bytes;
        if (data) this.onmessage?.({ data } as never);
        return;
      case 'session':
        this.#session = (JSON.parse(data) as { session: string }).session;
        this.onopen?.({} as never);
        return void this.#post();
      case 'close': return this.#end(JSON.parse(data) as Ended);
    }
  }

  /** Posts what waits, one request after the other, so that the order is kept. */
  async #post(): Promise<void> {
    if (this.#posting || !this.#session) return;
    this.#posting = true;
    try {
      while (this.#waiting.length && !this.#ended) await this.#postSome();
    } catch {
      // It is not known what has arrived.
      this.#end({ code: 1006, reason: '' });
    }
    this.#posting = false;
    if (this.#closing) this.#end(this.#closing);
  }

  async #postSome(): Promise<void> {
    const sizes = this.#waiting.slice(0, Post.Messages).map((text) => utf8(text).length);
    let count = 1;
    let bytes = sizes[0]!;
    // Each has a comma or a bracket, and there is one more bracket.
    while (count < sizes.length && bytes + sizes[count]! + count + 2 <= this.#most) bytes += sizes[count++]!;
    const texts = this.#waiting.slice(0, count);
    const body = count > 1 ? `[${texts.join()}]` : texts[0]!;
    const { status, headers } = await this.#fetch(`${this.#base}/${this.#session}`, { method: 'POST', body, signal: this.#abort.signal });
    if (status === 429) {
      const seconds = Number(headers.get('Retry-After')) || 1;
      await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
    } else if (status === 202) {
      this.#waiting.splice(0, count);
      this.#bytes -= bytes;
    } else {
      this.#end(status === 413 ? { code: 1009, reason: 'too_big' } : { code: 1006, reason: '' });
    }
  }

  #end(event: Ended): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#abort.abort();
    this.onclose?.(event as never);
  }
}

/** Returns the token in a subprotocol. */
function decode(protocol: string | undefined): string {
  if (!protocol) return '';
  const bytes = atob(protocol.slice(BEARER.length).replace(/-/g, '+').replace(/_/g, '/'));
  return new TextDecoder().decode(Uint8Array.from(bytes, (one) => one.charCodeAt(0)));
}
