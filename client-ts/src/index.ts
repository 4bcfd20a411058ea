import { cancel, join, measure, part, post, start, startOver, stop } from './commands.js';
import { Emitter } from './emitter.js';
import { SwitchboardError } from './errors.js';
import type { Frame, Post, State } from './events.js';
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
  constructor(url: Url, options: Options = {}) {
    super();
    const { signal, autoConnect = true } = options;
    this.#transport = (options._transport ?? createTransport)(url, options, (notice) => this.#take(notice), (error) => this._emit('error', error));
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
  subscribe<K extends keyof Topics & string>(channel: K, { signal, since, last }: SubscribeOptions = {}): Subscription<MessageOf<Topics[K]>, InfoOf<Topics[K]>> {
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
  publish<K extends keyof Topics & string>(channel: K, content: MessageOf<Topics[K]>, { signal, ...options }: PublishOptions = {}): Promise<number> {
    return this.#post({ ...options, type: 'publish', channel, content, bytes: 0 }, signal);
  }

  /** Sends to all connections of a user. The promise resolves with their number. */
  direct(to: string, content: unknown, { signal, ...options }: SendOptions = {}): Promise<number> {
    return this.#post({ ...options, type: 'direct', to, content, bytes: 0 }, signal);
  }

  /** Calls a method of the server's application. The promise resolves with its result. */
  call<K extends keyof Methods & string>(method: K, params: Parameters<Methods[K]>[0] = null, { signal, ...options }: SendOptions = {}): Promise<Awaited<ReturnType<Methods[K]>>> {
    return this.#post({ ...options, type: 'call', method, content: params, bytes: 0 }, signal);
  }

  #post<R>(event: Post, signal: AbortSignal | undefined): Promise<R> {
    let off: (() => void) | undefined;
    const promise = new Promise<R>((resolve, reject) => {
      if (signal?.aborted) throw new SwitchboardError('aborted');
      event.content = encode(event.content);
      const id = this.#transport._nextId();
      // The event is slightly larger than the message will be.
      event.bytes = utf8(toText({ ...event, id })).length;
      const waits = this.#transport._buffered(event.bytes);
      if (waits) throw new SwitchboardError('queue_full', undefined, `${waits} bytes wait for the network`);
      this.#waiters.set(id, [resolve, reject]);
      this.#transport._run(post, event);
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
        for (const channel of this.#channels.keys()) this.#each(channel, (one) => one._mark('pending'));
        return this._emit('state', this.state);
      case 'done': return this.#settle(notice.id)?.[0](notice.value as never);
      case 'failed': return this.#settle(notice.id)?.[1](new SwitchboardError(notice.code, notice.frame));
      case 'rtt': return this._emit(notice.type, notice.ms);
      case 'entered': return this.#each(notice.channel, (one) => one._mark('active', notice.presence as never));
      case 'gap': case 'epoch': case 'refused': case 'unanswered':
        return this.#each(notice.channel, (one) => {
          if (notice.type === 'refused') one._mark('refused');
          one._emit(notice.type, notice);
        });
    }
    const { frame, presence } = notice;
    const { type, channel, id } = frame;
    if (type === 'subscribed') this.#epochs.set(channel, frame.epoch);
    if (type === 'message') frame.id = `${frame.epoch = this.#epochs.get(channel)}.${frame.seq ?? (unnumbered -= 1)}`;
    this.#each(channel, (one) => {
      if (type === 'subscribed') one._mark('active');
      if (type === 'unsubscribed' && id === undefined) one._mark('refused');
      if (presence && one.status === 'active') one.presence = presence as never;
      // Frames of the application may have the names of events.
      if (['message', 'presence', 'subscribed'].includes(type)) one._emit(type as never, frame as never);
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
