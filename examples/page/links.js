// @ts-check
/** Text with the addresses in it as links. */

import { el } from './elements.js';

const ADDRESS = /\bhttps?:\/\/[^\s<>"“”„«»]+/giu;
/** What ends a sentence rather than an address. */
const AFTER = /[.,;:!?'’…*_~]$/u;

/**
 * The text, in parts; the links among them say exactly what they lead to.
 * @param {string} text
 * @returns {(Node | string)[]}
 */
export function withLinks(text) {
  /** @type {(Node | string)[]} */
  const parts = [];
  let end = 0;
  for (const { 0: found, index } of text.matchAll(ADDRESS)) {
    const address = trimmed(found);
    if (!isPlain(address)) continue;
    parts.push(text.slice(end, index), link(address));
    end = index + address.length;
  }
  parts.push(text.slice(end));
  return parts.filter((part) => part !== '');
}

/** Without what follows it in the sentence, such as the bracket that was opened before it. @param {string} found */
function trimmed(found) {
  let address = found;
  for (;;) {
    const last = address.slice(-1);
    const open = { ')': '(', ']': '[', '}': '{' }[last];
    const closes = open !== undefined && address.split(last).length > address.split(open).length;
    if (!closes && !AFTER.test(address)) return address;
    address = address.slice(0, -1);
  }
}

/** Whether it is the address of a page, without a user’s name that could be taken for a host. @param {string} address */
function isPlain(address) {
  try {
    const { protocol, host, username, password } = new URL(address);
    return (protocol === 'https:' || protocol === 'http:') && host !== '' && username === '' && password === '';
  } catch {
    return false;
  }
}

/** @param {string} address */
function link(address) {
  const made = /** @type {HTMLAnchorElement} */ (el('a', '', address));
  made.href = address;
  made.target = '_blank';
  made.rel = 'noopener noreferrer';
  made.dir = 'ltr';
  return made;
}
