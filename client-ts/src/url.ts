/** The URL, which may be relative in a page; a function is called for each attempt. */
export type Url = string | URL | (() => string | URL);

/** Returns the address of a WebSocket. Throws if it can never work. */
export function resolve(address: string | URL): URL {
  const url = new URL(address, globalThis.location?.href);
  url.protocol = url.protocol.replace('http', 'ws');
  if (!/^wss?:$/.test(url.protocol) || url.hash) throw new TypeError(`no WebSocket address: ${url.href}`);
  return url;
}
