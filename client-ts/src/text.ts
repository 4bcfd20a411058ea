import { SwitchboardError } from './errors.js';
import type { Frame } from './events.js';

/** Encodes the content now, so that later changes have no effect. */
export function encode(content: unknown): string {
  let cause: unknown;
  try {
    const text = JSON.stringify(content) as string | undefined;
    if (text) return text;
  } catch (error) {
    cause = error;
  }
  throw new SwitchboardError('bad_content', undefined, cause);
}

/** Encodes a frame whose `content` or `params`, if any, is JSON text already. */
export function toText({ content, params, ...frame }: Record<string, unknown>): string {
  const text = JSON.stringify(frame);
  const json = params ?? content;
  return json ? text.slice(0, -1) + `,"${params ? 'params' : 'content'}":${json as string}}` : text;
}

/** Decodes a frame; `null` if it is not JSON. */
export function parse(data: unknown): Frame | null {
  try {
    return JSON.parse(data as string) as Frame;
  } catch {
    return null;
  }
}

/** Returns a name of 128 random bits. It is not to be kept in a storage, which another tab would share. */
export function randomName(): string { return crypto.getRandomValues(new Uint32Array(4)).join('-'); }

/** Returns the bytes of a text in UTF-8, as characters. Not every environment has a `TextEncoder`. */
export function utf8(text: string): string { return unescape(encodeURIComponent(text)); }

export function base64url(text: string): string {
  return btoa(utf8(text)).replace(/\+/g, '-').replace(/\//g, '_').replace(/=/g, '');
}
