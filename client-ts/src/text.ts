import type { Frame } from './events.js';

/** Encodes a frame whose content, if any, is JSON text already. */
export function toText({ content, ...frame }: Record<string, unknown>): string {
  const text = JSON.stringify(frame);
  return content === undefined ? text : `${text.slice(0, -1)},"content":${content as string}}`;
}

/** Decodes a frame; `null` if it is not JSON. */
export function parse(data: unknown): Frame | null {
  try {
    return JSON.parse(data as string) as Frame;
  } catch {
    return null;
  }
}

export function base64url(text: string): string {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text))).replace(/\+/g, '-').replace(/\//g, '_').replace(/=/g, '');
}
