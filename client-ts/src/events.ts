/**
 * The inputs and outputs of the client's state machine, and its configuration.
 *
 * All times and durations are milliseconds of one monotonic clock.
 */

import type { Frame } from './frame.js';
import type { Position } from './place.js';
import type { Presence } from './presence.js';

export type { Frame } from './frame.js';

/** The end of the last connection or attempt. */
export interface Close {
  /** The close code; 1006 if there was none. */
  readonly code: number;
  /** The server's reason; may be empty. */
  readonly reason: string;
  /** The phase it had reached. */
  readonly phase: 'dialing' | 'opened' | 'welcomed';
  /** Whether the client closed because the server did not answer. */
  readonly silent: boolean;
}

/** Why the client waits. The server demands `told` and `full`: no event shortens them. */
export type WaitReason = 'backoff' | 'full' | 'jitter' | 'told' | 'offline' | 'suspended' | 'asked';
/**
 * Why the client does not reconnect: it was asked to stop, the close code forbids it, it has no attempts or no token
 * left, or no socket can be opened with these options.
 */
export type StopReason = 'asked' | 'code' | 'attempts' | 'token' | 'misuse';
/** Why a new token is needed; `expiring`: the connection lives, and goes on with the new one. */
export type TokenReason = 'connect' | 'unauthorized' | 'expired' | 'expiring';

export type State =
  | { readonly status: 'idle'; readonly last: null }
  | { readonly status: 'connecting'; readonly last: Close | null }
  | { readonly status: 'connected'; readonly welcome: Frame; readonly last: Close | null }
  | { readonly status: 'waiting'; readonly until: number | null; readonly why: WaitReason; readonly last: Close | null }
  | { readonly status: 'stopped'; readonly why: StopReason; readonly last: Close | null };

export interface Config {
  /** State of the random delays; 32 bits. */
  seed: number;
  /** The first and last ceiling of the backoff, and its growth factor. */
  min: number;
  max: number;
  factor: number;
  /** Attempts without a stable connection before giving up; 0 for no limit. */
  attempts: number;
  /** Timeout of opening: longer than a server's timeout of its hook. */
  open: number;
  /** Timeout of a request, from when it was sent. */
  request: number;
  /** The name under which all connections of this client belong together; may be empty. */
  session: string;
  /** Whether there is a source of tokens. */
  token: boolean;
  /** Whether messages wait for a connection, unless a message says otherwise. */
  queue: boolean;
  /** Limits of waiting messages: number, total bytes, and age. */
  count: number;
  bytes: number;
  age: number;
}

export const DEFAULTS: Config = {
  seed: 1, min: 500, max: 20_000, factor: 2, attempts: 0, open: 15_000, request: 10_000, session: '', token: false, queue: false, count: 100, bytes: 262_144, age: 30_000,
};

/** A request of the application. */
export type Post = Extract<Event, { bytes: number }>;

export type Event =
  | { type: 'start' | 'stop' | 'reconnect' | 'opened' | 'misused' | 'tick' | 'ping' }
  | { type: 'token'; expires?: number | undefined }
  | { type: 'online' | 'offline' | 'visible' | 'hidden' | 'suspend' | 'resume' }
  | { type: 'token_failed'; final?: boolean }
  | { type: 'closed'; code: number; reason: string }
  | { type: 'message'; frame: Frame | null }
  | { type: 'subscribe'; channel: string; since?: Position | undefined; last?: number | undefined }
  | { type: 'unsubscribe'; channel: string }
  | { type: 'publish'; channel: string; content: unknown; bytes: number; echo?: boolean | undefined; volatile?: boolean | undefined; key?: string | undefined; queue?: boolean | undefined }
  | { type: 'direct'; to: string; content: unknown; bytes: number; queue?: boolean | undefined }
  | { type: 'call'; method: string; content: unknown; bytes: number; queue?: boolean | undefined }
  | { type: 'cancel'; id: number };

export type Action =
  | { type: 'get_token'; reason: TokenReason }
  | { type: 'dial'; session: string | undefined; since: string | undefined }
  | { type: 'close'; reason: string }
  | { type: 'send'; frame: Frame }
  | { type: 'deliver'; frame: Frame; presence?: Presence | undefined }
  | { type: 'state'; state: State }
  | { type: 'refused'; channel: string; frame: Frame }
  | { type: 'entered'; channel: string; presence: Presence | undefined }
  | { type: 'unanswered'; channel: string }
  | { type: 'gap'; channel: string; from: number; to: number; away: boolean }
  | { type: 'epoch'; channel: string; from: string; to: string }
  | { type: 'done'; id: number; value: unknown }
  | { type: 'failed'; id: number; code: string; frame: Frame | undefined }
  | { type: 'rtt'; ms: number };
