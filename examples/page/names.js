// @ts-check
/** Names of users and rooms: which are allowed, and how they are shown. */

const MAX_NAME_BYTES = 128;

/** @param {unknown} value @returns {value is string} */
export function isName(value) { return typeof value === 'string' && value !== ''; }

/**
 * Why the server would not take this as a name, or why others might take it for another; empty if nothing speaks against it.
 * @param {string} name
 * @param {'name' | 'room'} what
 */
export function nameProblem(name, what) {
  const subject = what === 'name' ? 'Your name' : 'The room’s name';
  if (name === '') return what === 'name' ? 'Choose a name first.' : 'Choose a room first.';
  if (/\p{Cc}|\p{Cs}/u.test(name)) return `${subject} holds a character that cannot be sent.`;
  if (printable(name) !== name) return `${subject} holds an invisible character or a direction mark.`;
  if (name.normalize('NFC') !== name) return `${subject} holds a letter in an unusual form that looks like another.`;
  const bytes = byteLength(name);
  if (bytes > MAX_NAME_BYTES) return `${subject} is too long: ${bytes} of ${MAX_NAME_BYTES} bytes.`;
  if (what === 'room' && (name === '.' || name === '..')) return 'A room cannot be called that.';
  return '';
}

const JOINER = '[\\u{200c}\\u{200d}\\u{fe0e}\\u{fe0f}]';
const PICTURE = '[\\p{Extended_Pictographic}\\p{Emoji_Modifier}\\u{fe0f}]';
const JOINED_LETTER = '[\\p{M}\\p{Script_Extensions=Arabic}]';

/**
 * What cannot be seen, or is not what it seems. Joiners have a meaning between two pictures, and within the scripts that use them; a selector after a
 * picture that is text otherwise. Blanks other than single spaces between words look like these.
 */
const UNSEEN = new RegExp([
  `\\u{200d}(?<!${PICTURE}.)(?<!${JOINED_LETTER}.)|\\u{200d}(?<=${PICTURE}.)(?!${PICTURE})`,
  `\\u{200c}(?<!${JOINED_LETTER}.)`,
  '\\u{fe0f}(?<=[0-9#*].)(?!\\u{20e3})',
  `\\u{fe0f}(?<![\\p{Extended_Pictographic}\\p{Emoji}].)|\\u{fe0f}(?<=\\p{Emoji_Presentation}.)|\\u{fe0e}`,
  `(?!${JOINER})[\\p{Default_Ignorable_Code_Point}\\p{Cf}\\p{Cc}\\p{Zl}\\p{Zp}\\u{2800}]`,
  '(?! )\\p{Zs}|^ | $| (?= )',
].join('|'), 'gu');

/**
 * A name as it is shown: characters that cannot be seen, or that turn the text around them, are spelled out, so
 * that no name passes for another by them.
 * @param {string} name
 */
export function printable(name) {
  return name.replace(UNSEEN, (found) => `[U+${(found.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}]`);
}

/** A name for an attribute or a title, where no element can keep its direction from the words around it. @param {string} name */
export function isolated(name) { return `\u2068${printable(name)}\u2069`; }

/** @param {string} text */
export function byteLength(text) { return new TextEncoder().encode(text).length; }
