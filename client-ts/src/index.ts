import { cancel, join, measure, part, post, start, startOver, stop } from './commands.js';
import { Emitter } from './emitter.js';
import { SwitchboardError } from './errors.js';
import type { Frame, Post, State } from './events.js';
import { given } from './given.js';
import type { Presence } from './presence.js';
import { Subscription, type SubscribeOptions } from './subscription.js';
import { encode, toText, utf8 } from './text.js';
import type { AnyMethods, InfoOf, MessageOf, Method } from './topics.js';
import { createTransport, type Notice, type Options, type Token, type Transport } from './transport.js';
import type { Url } from './url.js';

export { SwitchboardError } from './errors.js';
export { Subscription, type Gap, type Message, type NewEpoch, type SubscribeOptions, type Subscribed, type SubscriptionEvents, type SubscriptionStatus } from './subscription.js';
export { decide, type Verdict } from './verdict.js';
export type { Close, Frame, State, StopReason, TokenReason, WaitReason } from './events.js';
export type { Position } from './place.js';
export type { Presence } from './presence.js';
export type { Options, Socket, Token } from './transport.js';
export type { AnyMethods, InfoOf, MessageOf, Method, Topic } from './topics.js';
export type { Url } from './url.js';

/** A message to this user. */
export interface Direct<T = unknown> { readonly content: T; readonly sender?: string }

export interface SwitchboardEvents {
  state: State;
  direct: Direct;
  /** The round-trip time of a `ping` in milliseconds. */
  rtt: number;
  /** An `error` of the server that answers no request, or an exception of `getToken`, the URL or the WebSocket. */
  error: unknown;
  /** Every message of the protocol that the client does not handle internally. */
  frame: Frame;
}

export interface SendOptions {
  /** Cancels: a waiting message is not sent; a sent one may still arrive. */
  signal?: AbortSignal | undefined;
  /** Whether to wait for a connection; defaults to the option `queue`. */
  queue?: boolean | undefined;
}

export interface PublishOptions extends SendOptions {
  /** Whether this client receives the message, too. */
  echo?: boolean | undefined;
  /** For what is soon out of date, such as cursors: has no number, is not kept, never waits for a connection, and is dropped for whoever is slow. */
  volatile?: boolean | undefined;
  /** What it is the latest value of, in a channel that keeps these; the content `null` removes it. */
  key?: string | undefined;
}

let unnumbered = 0;

/** A request before it is encoded. */
type Posted = Post extends infer P ? P extends Post ? Omit<P, 'bytes'> : never : never;

type Waiter = [resolve: (value: never) => void, reject: (reason: unknown) => void];

/** A connection to a Switchboard server that reconnects, unless the close code forbids it. */
export class Switchboard<Topics extends object = Record<string, unknown>, Methods extends Record<keyof Methods, Method> = AnyMethods> extends Emitter<SwitchboardEvents> {
  /** The current state, with the last close and the time of the next attempt (`until`, in terms of `Date.now()`). */
  state: State = { status: 'idle', last: null };
  readonly #transport: Transport;
  readonly #channels = new Map<string, Set<Subscription<never, never>>>();
  /** The epochs of the channels on this connection. */
  readonly #epochs = new Map<string, string>();
  readonly #waiters = new Map<number, Waiter>();

  /** Throws if there is no WebSocket, or `url` or a protocol is invalid; with `autoConnect: false`, `connect()` throws instead. */
  constructor(url: Url, options?: Options | null) {
    super();
    const all = given(options);
    const { signal, autoConnect = true, _transport = createTransport } = all;
    this.#transport = _transport(url, all, (notice) => this.#take(notice), (error) => this._emit('error', error));
    if (autoConnect && !signal?.aborted) this.connect();
    whenAborted(signal, () => this.close());
  }

  /** Connects, after `autoConnect: false` or after it stopped. */
  connect(): void { this.#transport._start(start); }

  /** Reconnects at once, in any state. */
  reconnect(): void { this.#transport._start(startOver); }

  /** Closes the connection and does not reconnect until `connect()`. Subscriptions are kept. */
  close(): void { this.#transport._run(stop); }

  /**
   * Uses this token from now on, also on the open connection, where it must name the same user. For another user: `close()`, `setToken()`, `connect()`.
   */
  setToken(token: Token): void { this.#transport._setToken(token); }

  /** Measures the round-trip time (event `rtt`) and checks that the connection is alive, if there is one. */
  ping(): void { this.#transport._run(measure); }

  /** Subscribes to a channel, now and on every connection, until its last use is closed. */
  subscribe<K extends keyof Topics & string>(channel: K, options?: SubscribeOptions | null): Subscription<MessageOf<Topics[K]>, InfoOf<Topics[K]>> {
    const { signal, since, last } = given(options);
    const uses = this.#channels.get(channel) ?? new Set();
    let off = (): void => {};
    const subscription = new Subscription<MessageOf<Topics[K]>, InfoOf<Topics[K]>>(channel, () => {
      off();
      uses.delete(subscription as never);
      if (uses.size) return;
      this.#channels.delete(channel);
      this.#transport._run(part, channel);
    });
    for (const { status, presence } of uses) {
      // The subscription is retried.
      if (status === 'refused') this.#each(channel, (one) => one._mark('pending'));
      else Object.assign(subscription, { status, presence });
    }
    this.#channels.set(channel, uses.add(subscription as never));
    this.#transport._run(join, channel, since, last);
    off = whenAborted(signal, () => subscription.close());
    return subscription;
  }

  /** Sends to a channel. The promise resolves with the message's `seq` once the server has acknowledged it; with 0 if it is volatile. */
  publish<K extends keyof Topics & string>(channel: K, content: MessageOf<Topics[K]>, options?: PublishOptions | null): Promise<number> {
    return this.#post({ type: 'publish', channel, content }, options);
  }

  /** Sends to all connections of a user. The promise resolves with their number. */
  direct(to: string, content: unknown, options?: SendOptions | null): Promise<number> {
    return this.#post({ type: 'direct', to, content }, options);
  }

  /** Calls a method of the server's application. The promise resolves with its result. */
  call<K extends keyof Methods & string>(method: K, params: Parameters<Methods[K]>[0] = null, options?: SendOptions | null): Promise<Awaited<ReturnType<Methods[K]>>> {
    return this.#post({ type: 'call', method, content: params }, options);
  }

  #post<R>(what: Posted, options?: SendOptions | null): Promise<R> {
    const { signal, ...how } = given(options);
    let off: (() => void) | undefined;
    const promise = new Promise<R>((resolve, reject) => {
      if (signal?.aborted) throw new SwitchboardError('aborted');
      const event = { ...how, ...what, content: encode(what.content) };
      const id = this.#transport._nextId();
      // The event is slightly larger than the message will be.
      const bytes = utf8(toText({ ...event, id })).length;
      if (this.#transport._isFull(bytes)) throw new SwitchboardError('queue_full');
      this.#waiters.set(id, [resolve, reject]);
      this.#transport._run(post, { ...event, bytes });
      off = whenAborted(signal, () => {
        this.#transport._run(cancel, id);
        // It may have been sent; its result is ignored.
        this.#settle(id)?.[1](new SwitchboardError('aborted'));
      });
    });
    // An ignored promise must not become an unhandled rejection.
    promise.finally(off).catch(() => {});
    return promise;
  }

  #settle(id: number): Waiter | undefined {
    const waiter = this.#waiters.get(id);
    this.#waiters.delete(id);
    return waiter;
  }

  #take(notice: Notice): void {
    switch (notice.type) {
      case 'state':
        this.state = notice.state;
        this.#epochs.clear();
        for (const uses of this.#channels.values()) for (const one of uses) one._mark('pending');
        return this._emit('state', this.state);
      case 'done': return this.#settle(notice.id)?.[0](notice.value as never);
      case 'failed': return this.#settle(notice.id)?.[1](new SwitchboardError(notice.code, notice.frame));
      case 'rtt': return this._emit(notice.type, notice.ms);
      case 'deliver': return this.#deliver(notice.frame, notice.presence);
      case 'entered': return this.#each(notice.channel, (one) => one._mark('active', notice.presence as never));
    }
    this.#each(notice.channel, (one) => {
      if (notice.type === 'refused') one._mark('refused');
      one._emit(notice.type, notice);
    });
  }

  #deliver(frame: Frame, presence?: Presence): void {
    const { type, channel, id } = frame;
    if (type === 'subscribed') this.#epochs.set(channel, frame.epoch);
    if (type === 'message') frame.id = `${frame.epoch = this.#epochs.get(channel)}.${frame.seq ?? (unnumbered -= 1)}`;
    this.#each(channel, (one) => {
      if (type === 'subscribed') one._mark('active');
      if (type === 'unsubscribed' && id === undefined) one._mark('refused');
      if (presence && one.status === 'active') one.presence = presence as never;
      // Frames of the application may have the names of events.
      if (/^(message|presence|subscribed)$/.test(type)) one._emit(type as never, frame as never);
    });
    if (type === 'direct' || type === 'error') this._emit(type, frame);
    this._emit('frame', frame);
  }

  #each(channel: string, what: (subscription: Subscription<never, never>) => void): void { this.#channels.get(channel)?.forEach(what); }
}

/** Returns a function that ends the wait. */
function whenAborted(signal: AbortSignal | undefined, what: () => void): () => void {
  if (signal?.aborted) what();
  signal?.addEventListener('abort', what);
  return () => signal?.removeEventListener('abort', what);
}
