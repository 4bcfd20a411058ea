import { createContext, createElement, useCallback, useContext, useEffect, useRef, useState, useSyncExternalStore, type ReactElement, type ReactNode } from 'react';
import { Switchboard, type Frame, type Gap, type Message, type NewEpoch, type Options, type Presence, type State, type Subscription, type SubscriptionStatus, type Url } from './index.js';

const Context = createContext<Switchboard | null>(null);

export interface ProviderProps {
  /** A client that the caller opens and closes. */
  client?: Switchboard;
  /** URL and options; read once, when the provider is mounted. */
  url?: Url;
  options?: Options;
  children?: ReactNode;
}

/** Provides one socket to all components below, from mount to unmount. */
export function SwitchboardProvider({ client, url, options, children }: ProviderProps): ReactElement {
  const [own] = useState(() => client ?? new Switchboard(url ?? '', { ...options, autoConnect: false }));
  const mounted = useRef(false);
  const value = client ?? own;
  useEffect(() => {
    if (client) return;
    mounted.current = true;
    own.connect();
    return () => {
      mounted.current = false;
      // StrictMode unmounts and remounts at once, which must not close the connection.
      queueMicrotask(() => { if (!mounted.current) own.close(); });
    };
  }, [client, own]);
  return createElement(Context.Provider, { value }, children);
}

function useClient(): Switchboard {
  const client = useContext(Context);
  if (!client) throw new Error('useSwitchboard and useChannel need a SwitchboardProvider above them');
  return client;
}

/** Returns the client and its current state. */
export function useSwitchboard(): { client: Switchboard; state: State } {
  const client = useClient();
  const subscribe = useCallback((changed: () => void) => client.on('state', changed), [client]);
  const state = useSyncExternalStore(subscribe, () => client.state, () => client.state);
  return { client, state };
}

export interface ChannelHandlers<T> {
  onMessage?: (message: Message<T>) => void;
  onGap?: (gap: Gap) => void;
  onEpoch?: (epoch: NewEpoch) => void;
  /** The error with which the server refused the channel. */
  onRefused?: (refused: { readonly frame: Frame }) => void;
}

export interface Channel<T> {
  status: SubscriptionStatus;
  /** Presence in the channel; `null` until the server reports it. */
  presence: Presence | null;
  publish: (content: T, options?: { echo?: boolean; queue?: boolean }) => Promise<number>;
}

/** State shared by all hooks of one channel. */
interface Shared {
  subscription: Subscription;
  uses: number;
  changed: Set<() => void>;
}

const registry = new WeakMap<Switchboard, Map<string, Shared>>();

function share(client: Switchboard, channel: string): Shared {
  const all = registry.get(client) ?? new Map<string, Shared>();
  registry.set(client, all);
  const known = all.get(channel);
  if (known) return known;
  const made: Shared = { subscription: client.subscribe(channel), uses: 0, changed: new Set() };
  const tell = (): void => made.changed.forEach((changed) => changed());
  made.subscription.on('status', tell);
  made.subscription.on('presence', tell);
  all.set(channel, made);
  return made;
}

function release(client: Switchboard, channel: string, shared: Shared): void {
  if (shared.uses > 0) return;
  const all = registry.get(client);
  if (all?.get(channel) === shared) all.delete(channel);
  shared.subscription.close();
}

/**
 * Uses a channel while the component is mounted. All components that use it share one subscription, which ends with
 * the last of them. The handlers may change with each rendering.
 */
export function useChannel<T = unknown>(channel: string, handlers: ChannelHandlers<T> = {}): Channel<T> {
  const client = useClient();
  const latest = useRef(handlers);
  useEffect(() => { latest.current = handlers; });
  const [shared, setShared] = useState<Shared | null>(null);

  useEffect(() => {
    const mine = share(client, channel);
    mine.uses += 1;
    setShared(mine);
    const subscription = mine.subscription as Subscription<T>;
    const offs = [
      subscription.on('message', (message) => latest.current.onMessage?.(message)),
      subscription.on('gap', (gap) => latest.current.onGap?.(gap)),
      subscription.on('epoch', (epoch) => latest.current.onEpoch?.(epoch)),
      subscription.on('refused', (refused) => latest.current.onRefused?.(refused)),
    ];
    return () => {
      offs.forEach((off) => off());
      mine.uses -= 1;
      // Another use in the same commit, or the second mount of StrictMode, takes it over.
      queueMicrotask(() => release(client, channel, mine));
    };
  }, [client, channel]);

  const current = shared?.subscription.channel === channel ? shared : null;
  const subscribe = useCallback((changed: () => void) => {
    current?.changed.add(changed);
    return () => void current?.changed.delete(changed);
  }, [current]);
  const status = useSyncExternalStore(subscribe, () => current?.subscription.status ?? 'pending', () => 'pending' as const);
  const presence = useSyncExternalStore(subscribe, () => current?.subscription.presence ?? null, () => null);
  const publish = useCallback<Channel<T>['publish']>((content, options) => client.publish(channel, content, options), [client, channel]);
  return { status, presence, publish };
}
