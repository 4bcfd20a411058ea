import type { Action, Config, Frame } from './events.js';

/**
 * What all parts of the machine share. Each part is a file with the state that it owns, as an interface, and functions
 * over the one object that has them all: the build shortens names that begin with an underscore.
 */
export interface Context extends Config {
  /** The time of the event being handled, and the actions that follow. */
  _now: number;
  _actions: Action[];
  /** The `id` of the next request. */
  _nextId: number;
}

export function emit(m: Context, action: Action): void { m._actions.push(action); }

export function send(m: Context, frame: Frame): void { emit(m, { type: 'send', frame }); }

export const NEVER = Infinity;

export const enum Ms {
  /** The shortest wait for a server that was full. */
  Full = 5_000,
  /** The longest wait before reconnecting "at once". */
  Jitter = 1_000,
  /** How long after `welcome` a connection counts as stable. */
  Stable = 5_000,
  /** How long `welcome` may take once the socket is open. */
  Welcome = 10_000,
  /** The silence before a `ping`, if `welcome` does not say. */
  Silence = 25_000,
  /** How long a `ping` waits for any message: after silence, and after waking up. */
  Pong = 10_000,
  Probe = 3_000,
  /** A tick later than this means that this host slept, not that the server is silent. */
  Stall = 2_000,
  /** The shortest wait while the network is reported offline. */
  Offline = 20_000,
  /** The time that `reconnect` gives the old connection to close before it opens the next one. */
  Pause = 100,
  /** The wait after `rate_limited` without `retry_after_ms`, and the shortest one before a token is refreshed. */
  Again = 1_000,
  /** The wait after a token could not be refreshed. */
  Refresh = 5_000,
}
