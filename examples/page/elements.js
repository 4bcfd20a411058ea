// @ts-check
/** Elements of the page: found, made and filled with text, never with markup. */

import { printable } from './names.js';

/**
 * The element with this id, which index.html is known to have.
 * @param {string} id
 * @returns {any}
 */
export function $(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`index.html has no #${id}`);
  return found;
}

/**
 * A new element. Strings among the children become text, never markup.
 * @param {string} tag
 * @param {string} className
 * @param {...(Node | string)} children
 */
export function el(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

/**
 * @param {string} className
 * @param {string} text
 * @param {() => void} onClick
 */
export function button(className, text, onClick) {
  const made = /** @type {HTMLButtonElement} */ (el('button', className, text));
  made.type = 'button';
  made.addEventListener('click', onClick);
  return made;
}

/** Sets text only where it changes, so that nothing is announced or laid out twice. @param {Node} node @param {string} text */
export function setText(node, text) { if (node.textContent !== text) node.textContent = text; }

/** A name, whose direction does not reach the words around it. @param {string} name @param {string} [className] */
export function named(name, className = '') { return el('bdi', className, printable(name)); }

/**
 * Names in a sentence.
 * @param {readonly string[]} names
 * @returns {(Node | string)[]}
 */
export function nameList(names) {
  const more = names.length > 4 ? names.length - 3 : 0;
  const listed = [...names.slice(0, more ? 3 : 4), ...(more ? [`${more} others`] : [])];
  let n = 0;
  return new Intl.ListFormat('en').formatToParts(listed).map(({ type, value }) => {
    if (type !== 'element') return value;
    n += 1;
    return more && n === listed.length ? value : named(value);
  });
}

/** The round picture of a name: its initials on a colour that stays the same. @param {string} name */
export function face(name) {
  let hash = 7;
  for (const char of name) hash = (hash * 31 + (char.codePointAt(0) ?? 0)) >>> 0;
  const words = name.split(/[\s._-]+/).filter(Boolean);
  const initials = words.slice(0, 2).map((word) => [...word][0]).join('') || '?';
  const made = el('span', `face hue-${hash % 8}`, initials.toUpperCase());
  made.setAttribute('aria-hidden', 'true');
  return made;
}
