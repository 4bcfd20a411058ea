import type { Post } from './events.js';
import type { Position } from './place.js';
import type { Notice, Token } from './transport.js';

/** A channel that a tab uses, and from where it wants its messages. */
export interface Use { channel: string; since?: Position | undefined; last?: number | undefined }

/**
 * What a tab wants of the leading one. `who` asks which one that is; `hello` answers the news that it leads, with everything that the tab uses, and
 * whether it wants a connection: it does not after one that was stopped.
 */
export type Wish =
  | { type: 'hello'; uses: Use[]; isWanted: boolean }
  | { type: 'subscribe'; use: Use }
  | { type: 'unsubscribe'; channel: string }
  | { type: 'post'; id: number; event: Post }
  | { type: 'cancel'; id: number }
  | { type: 'token'; token: Token }
  | { type: 'who' | 'start' | 'reconnect' | 'ping' | 'leave' };

/** What the leading tab tells the others: that it leads, what its connection notices, and which request was not sent when it ends. */
export type News =
  | { type: 'lead'; session: string }
  | { type: 'notice'; notice: Notice; isOwn?: boolean }
  | { type: 'again'; id: number };

/** What goes through the channel between tabs. `to`: `leader`, `all` or a tab. */
export interface Letter { from: string; to: string; wish?: Wish; news?: News }
