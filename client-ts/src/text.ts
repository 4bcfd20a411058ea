import { SwitchboardError } from './errors.js';
import type { Frame } from './events.js';

/** Encodes the content now, so that later changes have no effect. */
export function encode(content: unknown): string {
  let text: string | undefined;
  let cause: unknown;
  try {
    text = JSON.stringify(content);
  } catch (error) {
    cause = error;
  }
  if (text === undefined) throw new SwitchboardError('bad_content', undefined, 'content is not JSON', cause);
  return text;
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
export function randomName(): string { return base64url(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(16)))); }

/** Returns the bytes of a text in UTF-8, as characters. Not every environment has a `TextEncoder`. */
export function utf8(text: string): string { return encodeURIComponent(text).replace(/%(..)/g, (_, hex) => String.fromCharCode(+`0x${hex}`)); }

export function base64url(text: string): string {
  return btoa(utf8(text)).replace(/\+/g, '-').replace(/\//g, '_').replace(/=/g, '');
}
