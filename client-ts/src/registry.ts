import { history, type History } from './history.js';
import type { Subscription, SubscribeOptions, Switchboard } from './index.js';

/** State shared by all hooks of one channel. */
export interface Shared {
  readonly client: Switchboard;
  readonly subscription: Subscription;
  /** The latest messages, as many as any of the hooks wants. */
  history: History | undefined;
  limit: number;
  uses: number;
  readonly changed: Set<() => void>;
}

const registry = new WeakMap<Switchboard, Map<string, Shared>>();

/** Joins the hooks that use a channel, which share one subscription. `limit`: how many messages to keep. */
export function share(client: Switchboard, channel: string, limit: number, options: SubscribeOptions): Shared {
  const all = registry.get(client) ?? new Map<string, Shared>();
  registry.set(client, all);
  const shared = all.get(channel) ?? begin(client, channel, options);
  all.set(channel, shared);
  shared.uses += 1;
  keep(shared, limit);
  return shared;
}

function begin(client: Switchboard, channel: string, options: SubscribeOptions): Shared {
  const shared: Shared = { client, subscription: client.subscribe(channel, options), history: undefined, limit: 0, uses: 0, changed: new Set() };
  shared.subscription.on('status', () => tell(shared));
  shared.subscription.on('presence', () => tell(shared));
  return shared;
}

/** Keeps at least so many messages. */
function keep(shared: Shared, limit: number): void {
  if (limit <= shared.limit) return;
  const before = shared.history?.messages ?? [];
  shared.history?.close();
  shared.limit = limit;
  shared.history = history(shared.subscription, limit);
  shared.history.messages = before;
  shared.history.on('change', () => tell(shared));
}

function tell(shared: Shared): void { shared.changed.forEach((changed) => changed()); }

/** Leaves again. The subscription ends with the last use, unless another begins at once: in the same commit, or the second mount of StrictMode. */
export function release(shared: Shared): void {
  shared.uses -= 1;
  queueMicrotask(() => {
    if (shared.uses) return;
    const { client, subscription } = shared;
    const all = registry.get(client);
    if (all?.get(subscription.channel) === shared) all.delete(subscription.channel);
    subscription.close();
  });
}
