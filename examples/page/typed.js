// @ts-check
/** What the user typed: a message for the room, a whisper, or a slip. */

/**
 * What the user typed: a message for the room, a whisper, or a slip.
 * @typedef {{kind: 'say', text: string} | {kind: 'whisper', to: string, text: string} | {kind: 'wrong', why: string}} Typed
 * @param {string} text
 * @param {Iterable<string>} names who is here, so that names with spaces are found without quotes
 * @returns {Typed}
 */
export function parseTyped(text, names) {
  if (text.startsWith('//')) return { kind: 'say', text: text.slice(1) };
  if (!text.startsWith('/')) return { kind: 'say', text };
  const command = /^\/(?:w|whisper|msg)(?:\s+([\s\S]*))?$/.exec(text);
  if (!command) return { kind: 'wrong', why: 'There is no such command. Write /w name text to whisper, or // to begin a message with a slash.' };
  const rest = command[1] ?? '';
  const known = [...names].filter((name) => rest === name || rest.startsWith(`${name} `)).sort((a, b) => b.length - a.length)[0];
  const quoted = /^"([^"]+)"\s*([\s\S]*)$/.exec(rest);
  const plain = /^(\S+)\s*([\s\S]*)$/.exec(rest);
  if (quoted) return { kind: 'whisper', to: quoted[1], text: quoted[2] };
  if (known) return { kind: 'whisper', to: known, text: rest.slice(known.length).trimStart() };
  if (plain) return { kind: 'whisper', to: plain[1], text: plain[2] };
  return { kind: 'wrong', why: 'Whisper to whom? Write /w name text.' };
}
