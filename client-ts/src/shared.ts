import { Switchboard as Alone, type AnyMethods, type Method, type Options, type Url } from './index.js';
import { createTab } from './tab.js';
import { createTransport } from './transport.js';
import { resolve } from './url.js';

export * from './index.js';

export interface SharedOptions extends Options {
  /**
   * Whether the tabs of one origin share one connection for this URL. One of them leads: it has the connection and calls its `getToken`; when it ends,
   * another one takes over. With a text, only tabs with the same text share: give the name of the user, where tabs may belong to several, and of the server,
   * where the URL is a function.
   * Where the page lacks Web Locks or BroadcastChannel, each tab is alone.
   */
  shared?: boolean | string | undefined;
}

/** A connection to a Switchboard server, which the tabs of one origin may share. */
export class Switchboard<Topics extends object = Record<string, unknown>, Methods extends Record<keyof Methods, Method> = AnyMethods> extends Alone<Topics, Methods> {
  constructor(url: Url, all?: SharedOptions | null) {
    const { shared, ...options } = all ?? {};
    super(url, shared && isPossible() ? { ...options, _transport: sharedBy(shared) } : options);
  }
}

function sharedBy(shared: true | string): typeof createTransport {
  return (address, options, notify, warn) => {
    const name = (): string => `switchboard 1 ${JSON.stringify([typeof address === 'function' ? '' : resolve(address).href, shared])}`;
    return createTab(name, address, options, notify, warn);
  };
}

function isPossible(): boolean { return !!globalThis.navigator?.locks && !!globalThis.BroadcastChannel; }
