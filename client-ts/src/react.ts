'use client';

import { createContext, createElement, useCallback, useContext, useEffect, useMemo, useRef, useState, useSyncExternalStore, type ReactElement, type ReactNode } from 'react';
import { Switchboard, SwitchboardError, type AnyMethods, type Direct, type Frame, type Gap, type InfoOf, type Message, type MessageOf, type Method, type NewEpoch, type Options, type Presence, type PublishOptions, type SendOptions, type State, type SubscribeOptions, type Subscription, type SubscriptionStatus, type Url } from './index.js';
import { release, share, type Shared } from './registry.js';

const Context = createContext<Switchboard | null>(null);

export interface ProviderProps {
  /** A client that the caller opens and closes. */
  client?: Switchboard<any, any> | undefined;
  /** The URL. Where it is another one, there is another client; a function is called for each attempt. */
  url?: Url | undefined;
  /** Options of the client, read when there is a new one; of `getToken`, the latest is called. */
  options?: Options | null | undefined;
  /** Who is signed in. When it changes, the client is closed, and another one begins with another token. */
  user?: string | number | null | undefined;
  children?: ReactNode;
}

/** Provides one client to all components below, and connects it from mount to unmount. */
export function SwitchboardProvider({ client, url: address, options, user, children }: ProviderProps): ReactElement {
  const url = address ?? '';
  const latest = useRef({ url, options });
  useEffect(() => { latest.current = { url, options }; });
  const key = JSON.stringify([typeof url === 'function' ? null : String(url), user]);
  const make = (): { key: string; client: Switchboard } => ({
    key,
    client: new Switchboard(typeof url === 'function' ? () => (latest.current.url as () => string | URL)() : url, {
      ...options,
      ...(options?.getToken && { getToken: (request) => latest.current.options?.getToken?.(request) ?? null }),
      autoConnect: false,
    }),
  });
  const [state, setState] = useState(make);
  let own = state;
  if (own.key !== key) {
    own = make();
    setState(own);
  }
  const value: Switchboard = client ?? own.client;
  const mounted = useRef<Switchboard>(null);
  useEffect(() => {
    if (client) return;
    mounted.current = value;
    value.connect();
    return () => {
      mounted.current = null;
      // StrictMode unmounts and remounts at once, which must not close the connection.
      queueMicrotask(() => { if (mounted.current !== value) value.close(); });
    };
  }, [client, value]);
  return createElement(Context.Provider, { value }, children);
}

function useClient(): Switchboard {
  const client = useContext(Context);
  if (!client) throw new Error('the hooks need a SwitchboardProvider above them');
  return client;
}

/** Returns the state of the connection. */
export function useConnectionState(): State {
  const client = useClient();
  const subscribe = useCallback((changed: () => void) => client.on('state', changed), [client]);
  return useSyncExternalStore(subscribe, () => client.state, () => client.state);
}

/** Returns the client and its current state. */
export function useSwitchboard(): { client: Switchboard; state: State } {
  const client = useClient();
  return { client, state: useConnectionState() };
}

export interface ChannelOptions<T> {
  onMessage?: ((message: Message<T>) => void) | undefined;
  onGap?: ((gap: Gap) => void) | undefined;
  onEpoch?: ((epoch: NewEpoch) => void) | undefined;
  /** The error with which the server refused the channel. */
  onRefused?: ((refused: { readonly frame: Frame }) => void) | undefined;
  /** How many of the latest messages to keep as `messages`; 0, if it is left out. Where the server keeps a history, it begins with these. */
  history?: number | undefined;
  /** The position to begin after, for the first use of the channel. */
  since?: SubscribeOptions['since'];
}

export interface Channel<T, P = unknown> {
  /** `skipped` without a channel. */
  status: SubscriptionStatus | 'skipped';
  /** Presence in the channel; `null` until the server reports it. */
  presence: Presence<P> | null;
  /** The latest messages, oldest first, as many as the option `history` says. */
  messages: readonly Message<T>[];
  publish: (content: T, options?: PublishOptions | null) => Promise<number>;
}

/** The name of a channel, or nothing, to use none. */
export type Skippable<K> = K | null | undefined | false;

const NONE: readonly never[] = [];

/**
 * Uses a channel while the component is mounted; none, if its name is missing. All components that use it share one subscription, which ends with
 * the last of them. The handlers may change with each rendering.
 */
export function useChannel<T = unknown, P = unknown>(channel: Skippable<string>, options?: ChannelOptions<T> | null): Channel<T, P> {
  const client = useClient();
  const latest = useRef(options);
  useEffect(() => { latest.current = options; });
  const [shared, setShared] = useState<Shared | null>(null);
  const limit = options?.history ?? 0;

  useEffect(() => {
    if (!channel) return;
    const since = latest.current?.since;
    const mine = share(client, channel, limit, { since, last: since ? undefined : limit || undefined });
    setShared(mine);
    const subscription = mine.subscription as Subscription<T>;
    const offs = [
      subscription.on('message', (message) => latest.current?.onMessage?.(message)),
      subscription.on('gap', (gap) => latest.current?.onGap?.(gap)),
      subscription.on('epoch', (epoch) => latest.current?.onEpoch?.(epoch)),
      subscription.on('refused', (refused) => latest.current?.onRefused?.(refused)),
    ];
    return () => {
      offs.forEach((off) => off());
      release(mine);
    };
  }, [client, channel, limit]);

  // Until the effect has run, the state is that of another channel, or of an earlier client.
  const current = shared?.client === client && shared.subscription.channel === channel ? shared : null;
  const subscribe = useCallback((changed: () => void) => {
    current?.changed.add(changed);
    return () => void current?.changed.delete(changed);
  }, [current]);
  const status = useSyncExternalStore<Channel<T>['status']>(subscribe, () => current?.subscription.status ?? 'pending', () => 'pending');
  const presence = useSyncExternalStore(subscribe, () => current?.subscription.presence ?? null, () => null);
  const all = useSyncExternalStore(subscribe, () => current?.history?.messages ?? NONE, () => NONE);
  const messages = useMemo(() => limit ? all.slice(-limit) : NONE, [all, limit]);
  const publish = useCallback<Channel<T>['publish']>(async (content, options) => {
    if (!channel) throw new SwitchboardError('unsubscribed');
    return client.publish(channel, content, options);
  }, [client, channel]);
  return { status: channel ? status : 'skipped', presence: presence as Presence<P> | null, messages: messages as readonly Message<T>[], publish };
}

/** Returns who is in a channel, which the component uses while it is mounted; `null` until the server reports it, or without a channel. */
export function usePresence<P = unknown>(channel: Skippable<string>): Presence<P> | null { return useChannel<unknown, P>(channel).presence; }

/** Calls the handler for each message to this user. Returns a function that sends to a user, and resolves with the number of their connections. */
export function useDirect<T = unknown>(onMessage?: (message: Direct<T>) => void): (to: string, content: unknown, options?: SendOptions | null) => Promise<number> {
  const client = useClient();
  const latest = useRef(onMessage);
  useEffect(() => { latest.current = onMessage; });
  useEffect(() => client.on('direct', (message) => latest.current?.(message as Direct<T>)), [client]);
  return useCallback((to, content, options) => client.direct(to, content, options), [client]);
}

/** The hooks for clients whose channels and methods have these types. */
export interface Hooks<Topics extends object, Methods extends Record<keyof Methods, Method>> {
  useChannel: <K extends keyof Topics & string>(channel: Skippable<K>, options?: ChannelOptions<MessageOf<Topics[K]>> | null) => Channel<MessageOf<Topics[K]>, InfoOf<Topics[K]>>;
  usePresence: <K extends keyof Topics & string>(channel: Skippable<K>) => Presence<InfoOf<Topics[K]>> | null;
  useSwitchboard: () => { client: Switchboard<Topics, Methods>; state: State };
}

/** Returns the hooks with the types of a client's channels and methods. */
export function createHooks<Topics extends object, Methods extends Record<keyof Methods, Method> = AnyMethods>(): Hooks<Topics, Methods> {
  return { useChannel, usePresence, useSwitchboard } as unknown as Hooks<Topics, Methods>;
}
