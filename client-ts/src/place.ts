import type { Presence } from './presence.js';

/** What a client knows of a channel's numbers. The first four are those of the server's `subscribed`. */
export interface Place {
  /** Empty if unknown. */
  epoch: string;
  /** All numbers up to this one are accounted for; `NaN` if unknown. */
  seq: number;
  /** The oldest number kept; absent where there is no history, so that a position is of no use. */
  first?: number | undefined;
  /** `latest`: only the last value of each key is kept, so numbers are skipped without a loss. */
  keep?: string | undefined;
  /** Numbers of own messages above `seq`, from their acknowledgements. */
  _own: Set<number>;
  /** Entered anew, and nothing was seen since: messages up to `seq` may follow. */
  _fresh: boolean;
  /** Who is in the channel, since it was entered. */
  _presence?: Presence | undefined;
}

/** A position in a channel, as `subscribe` names it. */
export interface Position { readonly epoch: string; readonly seq: number }

const enum Limit {
  /** The number of own messages that are remembered above a position. */
  Own = 1_024,
}

/** Returns the position from which to recover, if there is one. */
export function position(place: Place | undefined): Position | undefined {
  return place?.epoch && place.seq >= 0 && place.first !== undefined ? { epoch: place.epoch, seq: place.seq } : undefined;
}

/**
 * Accounts for all numbers up to `to`: the server named those from `start` on, and those from `from` on are not lost. Reports each range of
 * lost ones. Returns whether any number is new.
 */
export function advance(place: Place, start: number, from: number, to: number, lost: (from: number, to: number) => void): boolean {
  if (place._fresh && start <= place.seq) place.seq = start - 1;
  place._fresh = false;
  let { seq } = place;
  if (!(to > seq)) return false;
  if (place.keep !== 'latest') {
    for (const one of [...place._own, from].sort((a, b) => a - b)) {
      if (one > from) break;
      if (one > seq + 1) lost(seq + 1, one - 1);
      seq = Math.max(seq, one);
    }
  }
  place.seq = to;
  absorb(place);
  return true;
}

/**
 * Handles the number of an own message. It may overtake earlier messages that come from the history, so it moves the
 * position only when it is the next one.
 */
export function own(place: Place, seq: number, lost: (from: number, to: number) => void): void {
  // Above the safe integers a number plus one is the number itself.
  if (seq > place.seq && Number.isSafeInteger(seq)) place._own.add(seq);
  if (place._own.size > Limit.Own) {
    const oldest = Math.min(...place._own);
    advance(place, oldest, oldest, oldest, lost);
  }
  absorb(place);
}

/** Moves over own numbers. */
function absorb(place: Place): void {
  while (place._own.has(place.seq + 1)) place.seq += 1;
  // Where older messages follow, the position comes here a second time.
  if (!place._fresh) for (const one of place._own) if (one <= place.seq) place._own.delete(one);
}
