import { Emitter } from './emitter.js';
import type { Message, Subscription } from './subscription.js';

export interface HistoryEvents<T> {
  /** The messages have changed. */
  change: readonly Message<T>[];
}

/** The latest messages of a subscription. */
export class History<T = unknown> extends Emitter<HistoryEvents<T>> {
  /** The messages, oldest first; another array after each change. */
  messages: readonly Message<T>[] = [];
  /** How many of them are older than the latest loss. */
  #before = 0;
  readonly #offs: (() => void)[];

  /** @internal */
  constructor(subscription: Subscription<T, any>, limit: number) {
    super();
    const lose = (): void => {
      this.#before = this.messages.length;
      this._emit('change', this.messages);
    };
    this.#offs = [
      subscription.on('message', (message) => {
        if (message.seq === undefined || this.messages.some(({ id }) => id === message.id)) return;
        const all = [...this.messages, message];
        this.messages = all.slice(-limit);
        this.#before = Math.max(0, this.#before - (all.length - this.messages.length));
        this._emit('change', this.messages);
      }),
      subscription.on('gap', lose),
      subscription.on('epoch', lose),
      subscription.on('status', (status) => { if (status === 'closed') this.close(); }),
    ];
  }

  /** Whether no message between the first and the last is known to be missing. */
  get complete(): boolean { return !this.#before; }

  /** Keeps the messages that are there, and takes no more. */
  close(): void { for (const off of this.#offs.splice(0)) off(); }
}

/**
 * Keeps the messages that a subscription gets from now on, up to this number, without volatile ones. To begin with some that were sent before,
 * subscribe with `last`, or `since` a position, to a channel whose history the server keeps.
 */
export function history<T>(subscription: Subscription<T, any>, limit?: number | null): History<T> { return new History(subscription, limit ?? 100); }
