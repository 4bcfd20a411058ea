/** The URL, which may be relative in a page; a function is called for each attempt. */
export type Url = string | URL | (() => string | URL);

/** Returns the address of a WebSocket. Throws if it can never work. */
export function resolve(address: string | URL): URL {
  const url = new URL(address, globalThis.location?.href);
  url.protocol = url.protocol.replace('http', 'ws');
  if (!/^wss?:$/.test(url.protocol) || url.hash) throw new TypeError(`no WebSocket address: ${url.href}`);
  return url;
}

/** Adds parameters to the query, in place of those of the same name; a `session` of the application is kept. The rest stays as it was written. */
export function withQuery(url: URL, query: Record<string, string | false | undefined>): string {
  for (const [name, value] of Object.entries(query)) {
    const pair = value && `${name}=${encodeURIComponent(value)}`;
    // Either what is there, or the end.
    if (pair) url.search = url.search.replace(RegExp(`([?&])${name}=[^&]*|$`), (own, sign) => !own ? (url.search && '&') + pair : name === 'session' ? own : sign + pair);
  }
  return url.href;
}
