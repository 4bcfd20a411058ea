import { Emitter } from './emitter.js';
import { SwitchboardError } from './errors.js';
import type { Frame } from './events.js';
import type { Position } from './place.js';
import type { Presence } from './presence.js';

const enum Limit {
  /** The number of messages that `for await` keeps for a slow reader. */
  Unread = 1_024,
}

export interface Message<T = unknown> {
  readonly content: T;
  /** The sending user; absent if the application sent it. */
  readonly sender?: string;
  /** Its number in the channel; a volatile message has none. */
  readonly seq?: number;
  /** The life of the channel in which the number counts. */
  readonly epoch: string;
  /** Unique in the channel, and the same whenever the message comes, so that it is a key for lists. */
  readonly id: string;
  /** What it is the latest value of, in a channel that keeps these. */
  readonly key?: string;
  /** When it was published, in milliseconds since 1970, if the server tells. */
  readonly time?: number;
}

/** Messages that were not delivered. `away`: they were sent between two connections, and may include own unconfirmed ones. */
export interface Gap { readonly channel: string; readonly from: number; readonly to: number; readonly away: boolean }

/** A channel that began a new life, so that missed messages are unknown. */
export interface NewEpoch { readonly channel: string; readonly from: string; readonly to: string }

/** The server's `subscribed`. */
export interface Subscribed extends Frame {
  readonly channel: string;
  readonly epoch: string;
  /** The last number used in the channel. */
  readonly seq: number;
  /** The oldest number kept; absent where the channel has no history. */
  readonly first?: number;
  /** Whether all messages since the old position follow; absent where there was none. */
  readonly recovered?: boolean;
}

export interface SubscribeOptions {
  /** Closes the subscription. */
  signal?: AbortSignal | undefined;
  /** Recovers the messages after this position. Like `last`, it counts for the first use of a channel. */
  since?: Position | undefined;
  /** Begins with this many of the latest messages, as far as the server allows. Not used with `since`. */
  last?: number | undefined;
}

export type SubscriptionStatus = 'pending' | 'active' | 'refused' | 'closed';

export interface SubscriptionEvents<T> {
  message: Message<T>;
  /** The server's `presence`: `count`, and `users`, or `joined` and `left`. The property `presence` is updated before. */
  presence: Frame;
  gap: Gap;
  epoch: NewEpoch;
  status: SubscriptionStatus;
  /** The server's `subscribed`, on each connection. */
  subscribed: Subscribed;
  /** The server's `error`, if it refuses the subscription. The client retries on the next connection, or at the next `subscribe`. */
  refused: { readonly frame: Frame };
  /** The server did not answer the `subscribe` in time. A late answer still counts. */
  unanswered: { readonly channel: string };
}

/** One use of a channel. Closing the last use leaves the channel. */
export class Subscription<T = unknown, P = unknown> extends Emitter<SubscriptionEvents<T>> {
  status: SubscriptionStatus = 'pending';
  /** Presence in the channel; `null` until the server reports it, and while the channel is not active. */
  presence: Presence<P> | null = null;
  readonly #leave: () => void;

  /** @internal */
  constructor(readonly channel: string, leave: () => void) {
    super();
    this.#leave = leave;
  }

  close(): void {
    if (this.status === 'closed') return;
    this.#leave();
    this._mark('closed');
  }

  /** @internal */
  _mark(status: SubscriptionStatus, presence: Presence<P> | null = null): void {
    if (this.status === status) return;
    this.status = status;
    this.presence = presence;
    this._emit('status', status);
  }

  /** Iterates over further messages until the subscription is closed. A slow reader gets what waits, then `overflow`. */
  [Symbol.asyncIterator](): AsyncIterableIterator<Message<T>> {
    const buffer: Message<T>[] = [];
    const waiting: (() => void)[] = [];
    let isFull = false;
    let isOver = false;
    const wake = (): void => waiting.splice(0).forEach((one) => one());
    const off = [
      this.on('message', (message) => {
        isFull ||= buffer.length >= Limit.Unread;
        if (!isFull) buffer.push(message);
        wake();
      }),
      this.on('status', wake),
    ];
    const end = (): void => {
      isOver = true;
      off.forEach((one) => one());
      wake();
    };
    const next = async (): Promise<IteratorResult<Message<T>, undefined>> => {
      while (!isOver) {
        const value = buffer.shift();
        if (value) return { value };
        if (isFull || this.status === 'closed') {
          end();
          if (isFull) throw new SwitchboardError('overflow');
        } else await new Promise<void>((resolve) => waiting.push(resolve));
      }
      return { value: undefined, done: true };
    };
    return {
      next,
      return: () => {
        end();
        return next();
      },
      [Symbol.asyncIterator]() { return this; },
    };
  }
}
