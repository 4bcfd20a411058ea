import type { Machine } from './attempts.js';
import { closed, deadline, gotToken, misused, newMachine, noToken, opened, start, startOver, suspend, tick, wake } from './commands.js';
import type { Action, Close, TokenReason } from './events.js';
import { watch } from './page.js';
import { receive } from './receive.js';
import { base64url, parse, randomName, toText } from './text.js';
import { resolve, withQuery, type Url } from './url.js';

/** The required part of a `WebSocket`. */
export interface Socket {
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  send(data: string): void;
  close(code?: number, reason?: string): void;
  readonly bufferedAmount?: number;
  readonly extensions?: string;
  terminate?(): void;
}

/** A token, and when it expires, in milliseconds from now: the client then gets a new one before that. */
export type Token = string | null | { readonly token: string; readonly expiresIn?: number | undefined };

export interface Options {
  /** The constructor of sockets: `globalThis.WebSocket` by default; in Node 20, use that of the package `ws`. */
  webSocket?: (new (url: string, protocols: string[]) => Socket) | undefined;
  /** Subprotocols to offer beside `switchboard.v1.json`. */
  protocols?: string[] | undefined;
  /**
   * Called for a token before the first connection and the first after `close()`, once after a close with 4001, after 4202, and before a token
   * expires that came with `expiresIn`. An empty token stops the client. `signal` is aborted when the token is no longer needed.
   */
  getToken?: ((request: { reason: TokenReason; signal: AbortSignal }) => Token | Promise<Token>) | undefined;
  /** Timeout of `getToken` in milliseconds (15 000). */
  tokenTimeout?: number | undefined;
  /** Sends the token as `?token=` instead of a subprotocol: it then appears in access logs. */
  tokenInQuery?: boolean | undefined;
  /** Closes the client when aborted. */
  signal?: AbortSignal | undefined;
  /** Whether to connect at once (the default) or with `connect()`. */
  autoConnect?: boolean | undefined;
  /** Ceilings of the random delay before a reconnect, in milliseconds: 500 to 20 000, times 2. */
  backoff?: { min?: number; max?: number; factor?: number } | undefined;
  /** Attempts without a stable connection before giving up. No limit by default. */
  maxAttempts?: number | undefined;
  /** Timeout of opening in milliseconds (15 000): longer than a server's timeout of its hook. */
  openTimeout?: number | undefined;
  /** Timeout of the answer to a sent message in milliseconds (10 000). */
  requestTimeout?: number | undefined;
  /** Limits of messages that wait for a connection: 100 messages, 256 KiB, 30 s. With `false`, publishing fails without a connection. */
  queue?: boolean | { count?: number; bytes?: number; age?: number } | undefined;
  /** Bytes that may wait for the network (1 MiB). Above that, publishing fails with `queue_full`. */
  maxBuffered?: number | undefined;
  /** Logs what the client does and receives, with contents but without tokens: with this function, or with `console.debug`. */
  debug?: boolean | ((...what: unknown[]) => void) | undefined;
  /** @internal What carries out commands in place of a connection of one's own. */
  _transport?: typeof createTransport;
  /** @internal The session to continue. */
  _session?: string;
  /** Seed of the random delays; drawn from `Math.random()` by default. */
  seed?: number | undefined;
}

/** Actions other than those for sockets and tokens. */
export type Notice = Exclude<Action, { type: 'dial' | 'close' | 'send' | 'get_token' }>;

/** Runs a command of the machine with these arguments. */
export type Run = <Args extends unknown[]>(command: (m: Machine, ...args: Args) => void, ...args: Args) => void;

export interface Transport {
  /** Connects, by one of these commands. Throws if that can never work. */
  _start: (command: typeof start | typeof startOver) => void;
  /** Runs a command of the machine, and carries out its actions in order, even if a listener calls back in. */
  _run: Run;
  _nextId: () => number;
  _setToken: (token: Token) => void;
  /** Whether too many bytes wait for the network; if not, counts this message. */
  _isFull: (bytes: number) => boolean;
}

const enum Ms {
  /** How long a Close may stay unanswered. */
  Closing = 2_000,
  /** The longest timeout that timers have. */
  Timer = 2_147_483_647,
}

/** Carries out the machine's actions: sockets, timers, tokens, and page events. */
export function createTransport(address: Url, options: Options, notify: (notice: Notice) => void, warn: (error: unknown) => void): Transport {
  const { webSocket = globalThis.WebSocket, protocols = [], getToken, tokenInQuery, backoff, queue = true, seed = Math.random() * 2 ** 32, maxAttempts, maxBuffered = 2 ** 20, openTimeout, requestTimeout, tokenTimeout = 15_000, debug } = options;
  const log = debug === true ? console.debug : debug || undefined;
  const m = newMachine({
    ...backoff, ...(queue as object),
    seed,
    attempts: maxAttempts,
    open: openTimeout,
    request: requestTimeout,
    session: options._session ?? randomName(),
    token: !!getToken,
    queue: !!queue,
  });
  let socket: Socket | undefined;
  let token: string;
  /** For the rest of this client's life. */
  let deflate: 'off' | undefined;
  let asking = new AbortController();
  let page: AbortController | undefined;
  let timer: ReturnType<typeof setTimeout>;
  let skew = Infinity;
  let running = false;
  /** Bytes of messages that were handed in during a send and have not reached a socket. */
  let behind = 0;
  return { _start: connect, _run: run, _nextId: () => m._nextId, _isFull: isFull, _setToken: setToken };

  function connect(command: typeof start): void {
    check(address, webSocket, protocols);
    run(command);
  }

  function run<Args extends unknown[]>(command: (m: Machine, ...args: Args) => void, ...args: Args): void {
    // A monotonic clock, which may stop while the host sleeps.
    m._now = performance.now();
    command(m, ...args);
    const before = skew;
    skew = Date.now() - m._now;
    // The host slept, or the clock was set, in which case this is harmless.
    if (skew > before + 1_000 && (command as unknown) !== suspend) wake(m);
    if (running) return;
    running = true;
    for (let action; (action = m._actions.shift());) {
      try {
        try {
          log?.(action);
        } finally {
          perform(action);
        }
      } catch (error) {
        // The remaining actions must still be carried out.
        warn(error);
      }
    }
    running = false;
    behind = 0;
    arm();
  }

  /** After a sleep, a pending timer may be late; Node warns of a negative delay. */
  function arm(): void {
    clearTimeout(timer);
    const at = deadline(m);
    if (at < Infinity) timer = setTimeout(run, Math.max(0, Math.min(at - performance.now(), Ms.Timer)), tick);
  }

  function isFull(bytes: number): boolean {
    if (behind + (socket?.bufferedAmount ?? 0) > maxBuffered) return true;
    if (running) behind += bytes;
    return false;
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
        const end = old.terminate && setTimeout(() => old.terminate!(), Ms.Closing);
        old.onclose = () => clearTimeout(end);
        return old.close(1000, action.reason);
      }
      case 'send': return socket?.send(toText(action.frame.type === 'auth' ? { ...action.frame, token } : action.frame));
      case 'get_token': return ask(action.reason);
      case 'state': {
        const { state } = action;
        asking.abort();
        if (state.status === 'stopped') page = page?.abort() as undefined;
        else page ??= watch(run);
        if ('until' in state && state.until) action.state = { ...state, until: state.until + skew };
      }
    }
    notify(action);
  }

  function dial({ session, since }: Action & { type: 'dial' }): void {
    let place: string | URL;
    try {
      place = typeof address === 'function' ? address() : address;
    } catch (error) {
      warn(error);
      return run(closed, 1006, '');
    }
    try {
      const url = resolve(place);
      const offered = ['switchboard.v1.json', ...protocols];
      if (token && !tokenInQuery) offered.push(`base64url.bearer.switchboard.${base64url(token)}`);
      socket = new webSocket(withQuery(url, { session, since, deflate, token: tokenInQuery && token }), offered);
      socket.onopen = () => run(opened);
      socket.onmessage = ({ data }: { data: unknown }) => {
        const frame = parse(data);
        // Text that is no JSON: some browsers inflate wrongly.
        if (!frame && (data as string).at && !deflate && socket!.extensions) {
          deflate = 'off';
          run(startOver);
        } else run(receive, frame);
      };
      socket.onclose = ({ code, reason }: Close) => {
        socket = undefined;
        run(closed, code, reason);
      };
      socket.onerror = () => {};
    } catch (error) {
      warn(error);
      run(misused);
    }
  }

  function ask(reason: TokenReason): void {
    const { signal } = asking = new AbortController();
    const failed = (error: unknown): void => {
      if (signal.aborted) return;
      asking.abort();
      warn(error);
      run(noToken);
    };
    const late = setTimeout(failed, tokenTimeout, new Error('getToken timed out'));
    signal.onabort = () => clearTimeout(late);
    Promise.resolve({ reason, signal }).then(getToken).then((answer) => {
      if (!signal.aborted) setToken(answer);
    }, failed);
  }

  function setToken(answer: Token): void {
    asking.abort();
    const { token: text = answer as string, expiresIn } = Object(answer) as Partial<Exclude<Token, string | null>>;
    token = text;
    if (token) run(gotToken, expiresIn);
    else run(noToken, true);
  }
}

/** Throws if these can never work. */
export function check(address: Url, webSocket: Options['webSocket'], protocols: string[]): void {
  if (!webSocket) throw new TypeError('no option webSocket');
  if (typeof address !== 'function') resolve(address);
  for (const one of protocols) if (!/^[\w!#$%&'*+.^`|~-]+$/.test(one)) throw new TypeError(`no subprotocol: ${one}`);
}
