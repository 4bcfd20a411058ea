import type { Action, Close, Event, Frame, TokenReason } from './events.js';
import { createMachine } from './machine.js';

/** The required part of a `WebSocket`. */
export interface Socket {
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  send(data: string): void;
  close(code?: number, reason?: string): void;
  readonly bufferedAmount?: number;
  terminate?(): void;
}

/** The URL, which may be relative in a page; a function is called for each attempt. */
export type Url = string | URL | (() => string | URL);

export interface Options {
  /** The constructor of sockets: `globalThis.WebSocket` by default; in Node 20, use that of the package `ws`. */
  webSocket?: new (url: string, protocols: string[]) => Socket;
  /** Subprotocols to offer beside `switchboard.v1.json`. */
  protocols?: string[];
  /**
   * Called for a token before the first connection and the first after `close()`, once after a close with 4001, and after 4202. An empty
   * token stops the client. `signal` is aborted when the token is no longer needed.
   */
  getToken?: (request: { reason: TokenReason; signal: AbortSignal }) => string | null | Promise<string | null>;
  /** Timeout of `getToken` in milliseconds (15 000). */
  tokenTimeout?: number;
  /** Sends the token as `?token=` instead of a subprotocol: it then appears in access logs. */
  tokenInQuery?: boolean;
  /** Closes the client when aborted. */
  signal?: AbortSignal;
  /** Whether to connect at once (the default) or with `connect()`. */
  autoConnect?: boolean;
  /** Ceilings of the random delay before a reconnect, in milliseconds: 500 to 20 000, times 2. */
  backoff?: { min?: number; max?: number; factor?: number };
  /** Attempts without a stable connection before giving up. No limit by default. */
  maxAttempts?: number;
  /** Timeout of opening in milliseconds (15 000): longer than a server's timeout of its hook. */
  openTimeout?: number;
  /** Timeout of the answer to a sent message in milliseconds (10 000). */
  requestTimeout?: number;
  /** Limits of messages that wait for a connection: 100 messages, 256 KiB, 30 s. With `false`, publishing fails without a connection. */
  queue?: boolean | { count?: number; bytes?: number; age?: number };
  /** Bytes that may wait for the network (1 MiB). Above that, publishing fails with `queue_full`. */
  maxBuffered?: number;
  /** Seed of the random delays; drawn from `Math.random()` by default. */
  seed?: number;
}

/** Actions other than those for sockets and tokens. */
export type Notice = Exclude<Action, { type: 'dial' | 'close' | 'send' | 'get_token' }>;

export interface Transport {
  /** Throws if that can never work. */
  start: (type: 'start' | 'reconnect') => void;
  run: (event: Event) => void;
  nextId: () => number;
  /** Returns the bytes waiting for the network if they exceed the limit; else 0, and counts this message. */
  buffered: (bytes: number) => number;
}

const CLOSING_MS = 2_000;
const LONGEST_TIMEOUT = 2 ** 31 - 1;

/** Carries out the machine's actions: sockets, timers, tokens, and page events. */
export function createTransport(address: Url, options: Options, notify: (notice: Notice) => void, warn: (error: unknown) => void): Transport {
  const { webSocket, protocols = [], getToken, tokenInQuery, backoff, queue = true, seed, maxAttempts, maxBuffered = 2 ** 20, openTimeout = 15_000, requestTimeout = 10_000, tokenTimeout = 15_000 } = options;
  const machine = createMachine({
    ...backoff, ...(queue as object),
    seed: seed ?? Math.random() * 2 ** 32,
    attempts: maxAttempts ?? 0,
    open: openTimeout,
    request: requestTimeout,
    // Not in any storage, which another tab would share.
    session: base64url(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(16)))),
    token: !!getToken,
    queue: !!queue,
  });
  let socket: Socket | undefined;
  let token = '';
  let asking = new AbortController();
  let page: AbortController | undefined;
  let timer: ReturnType<typeof setTimeout>;
  let skew = Date.now() - performance.now();
  let running = false;
  /** Bytes of messages that were handed in during a send and have not reached a socket. */
  let behind = 0;
  const actions: Action[] = [];
  return { start, run, nextId: machine.nextId, buffered };

  function start(type: 'start' | 'reconnect'): void {
    if (!webSocket && !globalThis.WebSocket) throw new TypeError('there is no WebSocket here: hand in a constructor as the option webSocket');
    if (typeof address !== 'function') resolve(address);
    for (const one of protocols) if (!/^[\w!#$%&'*+.^`|~-]+$/.test(one)) throw new TypeError(`no subprotocol: ${one}`);
    run({ type });
  }

  /** Hands an event to the machine and carries out its actions in order, even if a listener calls back in. */
  function run(event: Event): void {
    // A monotonic clock, which may stop while the host sleeps.
    const now = performance.now();
    actions.push(...machine.handle(now, event));
    const before = skew;
    skew = Date.now() - now;
    // The host slept, or the clock was set, in which case this is harmless.
    if (skew > before + 1_000 && event.type !== 'suspend') actions.push(...machine.handle(now, { type: 'resume' }));
    if (running) return;
    running = true;
    for (let action; (action = actions.shift());) {
      try {
        perform(action);
      } catch (error) {
        // The remaining actions must still be carried out.
        warn(error);
      }
    }
    running = false;
    behind = 0;
    arm();
  }

  /** After a sleep, a pending timer may be late. */
  function arm(): void {
    clearTimeout(timer);
    const at = machine.deadline();
    if (at < Infinity) timer = setTimeout(run, Math.min(at - performance.now(), LONGEST_TIMEOUT), { type: 'tick' });
  }

  function buffered(bytes: number): number {
    const waits = behind + (socket?.bufferedAmount ?? 0);
    if (waits > maxBuffered) return waits;
    if (running) behind += bytes;
    return 0;
  }

  function perform(action: Action): void {
    switch (action.type) {
      case 'dial': return dial(action);
      case 'close': {
        const old = socket;
        if (!old) return;
        socket = undefined;
        // Its events are ignored from now on.
        old.onopen = old.onmessage = null;
        // The package `ws` would keep the process alive for 30 s if the Close is not answered.
        const end = old.terminate && setTimeout(() => old.terminate!(), CLOSING_MS);
        old.onclose = () => clearTimeout(end);
        return old.close(1000, action.reason);
      }
      case 'send': return socket?.send(toText(action.frame));
      case 'get_token': return ask(action.reason);
      case 'state':
        asking.abort();
        if (action.state.status === 'stopped') page = page?.abort() as undefined;
        else page ??= watch();
        if (action.state.status === 'waiting' && action.state.until) action.state = { ...action.state, until: action.state.until - performance.now() + Date.now() };
    }
    notify(action);
  }

  function dial({ session, since }: Action & { type: 'dial' }): void {
    let place: string | URL;
    try {
      place = typeof address === 'function' ? address() : address;
    } catch (error) {
      warn(error);
      return run({ type: 'closed', code: 1006, reason: '' });
    }
    try {
      const url = resolve(place);
      const offered = ['switchboard.v1.json', ...protocols];
      const query = { session, since, token: tokenInQuery && token };
      for (const [name, value] of Object.entries(query)) if (value) url.searchParams.set(name, value);
      if (token && !tokenInQuery) offered.push(`base64url.bearer.switchboard.${base64url(token)}`);
      socket = new (webSocket ?? WebSocket)(url.href, offered);
      socket.onopen = () => run({ type: 'opened' });
      socket.onmessage = ({ data }: { data: unknown }) => run({ type: 'message', frame: parse(data) });
      socket.onclose = ({ code, reason }: Close) => {
        socket = undefined;
        run({ type: 'closed', code, reason });
      };
      socket.onerror = () => {};
    } catch (error) {
      warn(error);
      run({ type: 'misused' });
    }
  }

  function ask(reason: TokenReason): void {
    const { signal } = asking = new AbortController();
    const failed = (error: unknown): void => {
      if (signal.aborted) return;
      warn(error);
      run({ type: 'token_failed' });
    };
    const late = setTimeout(failed, tokenTimeout, new Error(`getToken has not answered within ${tokenTimeout} ms`));
    signal.onabort = () => clearTimeout(late);
    Promise.resolve({ reason, signal }).then(getToken).then((answer) => {
      if (signal.aborted) return;
      clearTimeout(late);
      token = answer ?? '';
      run(token ? { type: 'token' } : { type: 'token_failed', final: true });
    }, failed);
  }

  /** Listens to page and network events, if any, until aborted. */
  function watch(): AbortController {
    const end = new AbortController();
    const { document, navigator } = globalThis as Partial<typeof globalThis>;
    const on = (target: EventTarget, name: string, type: (event: PageTransitionEvent) => unknown = () => name): void =>
      target.addEventListener?.(name, (event) => run({ type: type(event as PageTransitionEvent) } as Event), end);
    on(globalThis, 'online');
    on(globalThis, 'offline');
    on(globalThis, 'pageshow', () => 'resume');
    on(globalThis, 'pagehide', (event) => event.persisted && 'suspend');
    if (document) {
      on(document, 'resume');
      on(document, 'visibilitychange', () => document.visibilityState);
    }
    if (navigator?.onLine === false) run({ type: 'offline' });
    return end;
  }
}

function resolve(address: string | URL): URL {
  const url = new URL(address, globalThis.location?.href);
  url.protocol = url.protocol.replace('http', 'ws');
  if (!/^wss?:$/.test(url.protocol) || url.hash) throw new TypeError(`no WebSocket address: ${url.href}`);
  return url;
}

/** Encodes a frame whose content, if any, is JSON text already. */
export function toText({ content, ...frame }: Record<string, unknown>): string {
  const text = JSON.stringify(frame);
  return content === undefined ? text : `${text.slice(0, -1)},"content":${content as string}}`;
}

function parse(data: unknown): Frame | null {
  try {
    return JSON.parse(data as string) as Frame;
  } catch {
    return null;
  }
}

function base64url(text: string): string {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text))).replace(/\+/g, '-').replace(/\//g, '_').replace(/=/g, '');
}
