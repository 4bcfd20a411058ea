// @ts-check
/** Names of users and rooms: which are allowed, and how they are shown. */

/** @param {unknown} value @returns {value is string} */
export function isName(value) { return typeof value === 'string' && value !== ''; }

/** @param {unknown} value @returns {string[]} */
export function list(value) { return Array.isArray(value) ? value.filter(isName) : []; }

const MAX_NAME_BYTES = 128;

/**
 * Why the server would not take this as a name, or nothing.
 * @param {string} name
 * @param {'name' | 'room'} what
 */
export function nameProblem(name, what) {
  const subject = what === 'name' ? 'Your name' : 'The room’s name';
  if (name === '') return what === 'name' ? 'Choose a name first.' : 'Choose a room first.';
  if (/\p{Cc}|\p{Cs}/u.test(name)) return `${subject} holds a character that cannot be sent.`;
  if (printable(name) !== name) return `${subject} holds an invisible character or a direction mark.`;
  const bytes = byteLength(name);
  if (bytes > MAX_NAME_BYTES) return `${subject} is too long: ${bytes} of ${MAX_NAME_BYTES} bytes.`;
  if (what === 'room' && (name === '.' || name === '..')) return 'A room cannot be called that.';
  return '';
}

// Joiners and selectors have a meaning within an emoji, and joiners within the scripts that use them.
const UNSEEN = /(?<![\p{Extended_Pictographic}\p{Emoji_Modifier}\u{fe0f}\p{M}\p{Script_Extensions=Arabic}])[\u{200c}\u{200d}\u{fe0f}]|(?![\u{200c}\u{200d}\u{fe0f}])[\p{Default_Ignorable_Code_Point}\p{Cf}\p{Cc}\p{Zl}\p{Zp}]/gu;

/**
 * A name as it is shown: characters that cannot be seen, or that turn the text around them, are spelled out, so
 * that no name passes for another by them.
 * @param {string} name
 */
export function printable(name) {
  return name.replace(UNSEEN, (found) => `[U+${(found.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}]`);
}

/** @param {string} text */
export function byteLength(text) { return new TextEncoder().encode(text).length; }

/** @param {string[]} names */
export function nameList(names) {
  if (names.length > 4) return `${names.slice(0, 3).map(printable).join(', ')} and ${names.length - 3} others`;
  return new Intl.ListFormat('en').format(names.map(printable));
}
