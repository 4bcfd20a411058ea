import type { Frame } from './events.js';
import type { Use } from './letters.js';
import type { Presence } from './presence.js';
import type { Notice } from './transport.js';

const enum Limit {
  /** The number of messages of a channel that are kept for tabs that come later. */
  Recent = 256,
}

/** A channel that tabs use, as the leading tab knows it. */
export class Room {
  readonly tabs = new Set<string>();
  /** Those that came while the channel was not active: the recovery that comes next is not theirs. */
  readonly late = new Set<string>();
  isActive = false;
  presence: Presence | undefined;
  /** The latest `subscribed`. */
  #subscribed: Frame | undefined;
  /** The last number, and the one above which all messages are kept. */
  #seq = NaN;
  #from = NaN;
  #recent: Frame[] = [];

  /** Remembers what comes from the server. */
  take(frame: Frame, presence?: Presence): void {
    switch (frame.type) {
      case 'subscribed': {
        const isSame = this.#subscribed?.epoch === frame.epoch && frame.recovered === true;
        this.#subscribed = frame;
        this.isActive = true;
        if (isSame) break;
        this.#recent = [];
        this.#from = frame.seq;
        this.#seq = frame.seq;
        break;
      }
      case 'presence': this.presence = presence; break;
      case 'message': this.keep(frame);
    }
  }

  /** Keeps a message. */
  keep(frame: Frame): void {
    const { seq } = frame;
    if (!(seq >= 0)) return;
    // Those that the server kept from before come first.
    if (!this.#recent.length && seq <= this.#from) this.#from = seq - 1;
    this.#seq = Math.max(this.#seq, seq);
    this.#recent.push(frame);
    if (this.#recent.length > Limit.Recent) this.#from = this.#recent.shift()!.seq;
  }

  /** Some numbers were lost. */
  lose(to: number): void {
    this.#recent = [];
    this.#from = this.#seq = Math.max(this.#seq, to);
  }

  /** The channel was left, or the connection is gone. */
  end(): void {
    this.isActive = false;
    this.presence = undefined;
  }

  /** Returns what brings a tab up to date that comes to an active channel. */
  *catchUp({ channel, since, last }: Use): Generator<Notice> {
    if (!this.#subscribed) {
      yield { type: 'entered', channel, presence: this.presence };
      return;
    }
    const { epoch, first, keep } = this.#subscribed;
    /** The number after which the messages are wanted, where it counts in this life of the channel. */
    const after = since?.epoch === epoch ? since!.seq : NaN;
    const isKnown = after >= this.#from && after <= this.#seq;
    yield { type: 'deliver', frame: { type: 'subscribed', channel, epoch, seq: this.#seq, first, keep, recovered: since && isKnown } };
    if (since && since.epoch !== epoch) yield { type: 'epoch', channel, from: since.epoch, to: epoch };
    if (!isKnown && after < this.#seq && keep !== 'latest') yield { type: 'gap', channel, from: after + 1, to: this.#seq, away: true };
    const { presence } = this;
    if (presence) yield { type: 'deliver', frame: { type: 'presence', channel, count: presence.count, users: presence.users, info: presence.info }, presence };
    const missed = isKnown ? this.#recent.filter(({ seq }) => seq > after) : since || !last ? [] : this.#recent.slice(-last);
    for (const frame of missed) yield { type: 'deliver', frame };
  }
}
