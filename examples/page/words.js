// @ts-check
/** What ends and errors mean, in plain words. */

import { decide } from './switchboard.js';
import { isName, printable } from './names.js';

/**
 * @typedef {import('../../client-ts/src/index.js').Close} Close
 * @typedef {import('../../client-ts/src/index.js').Frame} Frame
 */

/**
 * Why the connection ended, in plain words.
 * @typedef {{title: string, text: string, advice: string, code?: string}} Words `code`: what to call it, if not by a close code
 * What surrounds an end. `reachable` is true only where the server that was dialed is known to have answered
 * after the attempt; `draining` and `full` mean something only then.
 * @typedef {{room: string, usesToken: boolean, reachable: boolean, draining: boolean, full: boolean}} Surroundings
 * @param {Close} end
 * @param {Surroundings} around
 * @returns {Words}
 */
export function explain(end, around) {
  const words = WORDS[keyOf(end)];
  if (words) {
    const [title, text, advice] = words(around);
    return { title, text, advice };
  }
  if (end.phase === 'dialing') return explainUnreachable(around);
  if (end.silent && end.phase === 'opened') {
    return { title: 'The server did not answer', text: 'The connection opened, but the server did not let this page in within ten seconds.', advice: '' };
  }
  if (end.silent) return { title: 'The server fell silent', text: 'Nothing came back, so this page stopped waiting and opens a new connection.', advice: '' };
  return explainByBand(end);
}

/** @param {Close} end */
function keyOf(end) {
  if (end.code === 4002) return end.reason === 'lobby_full' ? 'lobby_full' : 'server_full';
  if (end.code === 1000) return end.reason === 'replaced' ? 'replaced' : '';
  return CODE_WORDS[end.code] ?? '';
}

/** @type {Record<number, string>} */
const CODE_WORDS = {
  1001: 'draining', 1002: 'protocol_error', 1003: 'unsupported_data', 1007: 'invalid_utf8', 1008: 'policy',
  1009: 'too_big', 1011: 'internal', 1012: 'restart', 1013: 'try_later', 1014: 'bad_gateway',
  4001: 'unauthorized', 4003: 'forbidden', 4004: 'kicked', 4005: 'already_connected',
  4100: 'ip_limit', 4101: 'slow_consumer', 4102: 'rate_limited', 4103: 'auth_timeout',
  4201: 'heartbeat_timeout', 4202: 'token_expired',
};

const MISUNDERSTOOD = 'Reload this page: it may be older than the server. If it happens again, tell whoever runs the server.';

/** @type {Record<string, (around: Surroundings) => [title: string, text: string, advice: string]>} */
const WORDS = {
  replaced: () => ['You signed in somewhere else',
    'The same name connected from another window or device, so this one was signed out. It stays away, or the two would keep pushing each other out.',
    'Choose Reconnect to come back here instead.'],
  draining: () => ['The server is restarting', 'It closes its connections in turn and told this page when to come back.', ''],
  restart: () => ['The server is restarting', 'It takes no newcomers until it is back.', ''],
  protocol_error: () => ['The connection broke its rules', 'The server received bytes that are not the WebSocket protocol, often the work of a proxy between.', MISUNDERSTOOD],
  unsupported_data: () => ['The server could not use that', 'It was sent binary data where it speaks text.', MISUNDERSTOOD],
  invalid_utf8: () => ['The server could not read that', 'It was sent text that is not valid UTF-8.', MISUNDERSTOOD],
  too_big: () => ['Your message was too big', 'It was larger than this server takes, so the server closed the connection.', 'Choose Reconnect and send it in smaller parts.'],
  policy: () => ['The server turned this page away', 'What was sent is against its rules for connections.', 'Choose Reconnect to try once more. If it happens again, tell whoever runs the server.'],
  internal: () => ['Something failed on the server', 'It ended this connection because of an error of its own; the others go on.', ''],
  try_later: () => ['The server is busy', 'It asked to be tried again later.', ''],
  bad_gateway: () => ['Something between you and the server failed', 'A gateway got no proper answer from the server.', ''],
  unauthorized: (around) => ['Sign-in refused',
    around.usesToken ? 'The server did not accept the token: it may be wrong, or expired.' : 'The server does not let in a name alone; it asks for a token.',
    'Paste a new token below.'],
  server_full: () => ['Server full', 'Every seat of this server is taken (server full).', 'Nothing is needed from you: this page takes a seat when one is free.'],
  lobby_full: (around) => ['Lobby full', `Every seat in the room “${printable(around.room)}” is taken (lobby full).`, 'Leave to choose another room, or choose Reconnect when someone may have left.'],
  forbidden: () => ['You may not come in here', 'The server knows you, but does not let you into this room.', 'Leave to choose another room, or ask whoever runs the server.'],
  kicked: () => ['You were disconnected', 'Whoever runs this server ended your connection.', 'It is not reopened by itself. Choose Reconnect if you think you may come back.'],
  already_connected: () => ['This name is connected already', 'The server allows one connection for each name, and keeps the older one.', 'Close the other window, or leave and choose another name.'],
  ip_limit: () => ['Too many connections from your network', 'Your address holds as many connections as the server allows, or opens them too fast.', 'Closing other windows helps.'],
  slow_consumer: () => ['Your connection could not keep up', 'More was sent to you than your network took, so the server let this connection go.', ''],
  rate_limited: () => ['You sent too much too fast', 'The server’s limit was passed again and again, so it ended the connection.', 'Slow down a little after that.'],
  auth_timeout: () => ['Sign-in took too long', 'The server waited for this page to say who you are, and gave up.', ''],
  heartbeat_timeout: () => ['Your connection went quiet', 'The server heard nothing from here, for example because this device slept.', ''],
  token_expired: (around) => ['Your sign-in has expired', 'The server ended the session when its time was up.', around.usesToken ? 'Paste a new token below to go on.' : ''],
};

/** @param {Surroundings} around @returns {Words} */
function explainUnreachable(around) {
  if (!around.reachable) return { title: 'The server cannot be reached', text: 'It may be restarting, or your network may be down.', advice: '' };
  if (around.draining) return { title: 'The server is restarting', text: 'It answers, but takes no newcomers until it is back.', advice: '' };
  if (around.full) return { title: 'Server full', text: 'Every seat of this server is taken (server full).', advice: '' };
  return { title: 'The server did not let this page in', text: 'It answers, but refused the connection, and a browser does not tell a page why.', advice: 'The room may be full, or something between may block WebSockets.' };
}

/** @param {Close} end @returns {Words} */
function explainByBand({ code, reason }) {
  const said = reason ? ` It said: “${reason}”.` : '';
  if (code >= 3000 && decide(code, reason) === 'stop') {
    return { title: 'The application ended the connection', text: `It asked this page not to come back by itself.${said}`, advice: 'Choose Reconnect if you think you may come back.' };
  }
  if (code >= 4000) return { title: 'The application asked to reconnect', text: `It ended this connection.${said}`, advice: '' };
  return { title: 'The connection was lost', text: `It ended without the server’s word, as when a network or a proxy drops it.${said}`, advice: '' };
}

/**
 * Why the server does not let the user into a room, in plain words.
 * @param {Frame} frame its error
 * @param {string} room
 * @returns {Words}
 */
export function explainRefusal(frame, room) {
  const code = String(frame.code);
  const known = { room_full: WORDS.lobby_full, forbidden: WORDS.forbidden }[code];
  const around = { room, usesToken: false, reachable: true, draining: false, full: false };
  const [title, text, advice] = known?.(around) ?? ['You are not in this room', `The server did not let you in: ${errorWords(frame)}.`, 'Choose Reconnect to try again.'];
  return { title, text, advice, code: `error ${code}` };
}

/** Errors that answer a message, in words. @type {Record<string, string>} */
const ERROR_WORDS = {
  bad_request: 'the server could not use it',
  unknown_type: 'the server does not know this kind of message',
  unauthorized: 'you are not signed in',
  forbidden: 'you may not do that here',
  not_in_channel: 'you are not in this room',
  already_subscribed: 'you are in this room already',
  not_connected: 'nobody of that name is connected',
  limit_exceeded: 'a limit of the server is reached',
  room_full: 'the room is full',
  rate_limited: 'too many messages too fast',
  too_large: 'it is too large to be delivered',
  unavailable: 'the server cannot reach the others at the moment',
  unrecoverable: 'the server cannot tell whether it has it',
  queue_full: 'too much waits to be sent already',
  internal: 'something failed on the server',
};

/** @param {Record<string, any>} frame */
export function errorWords(frame) {
  const known = ERROR_WORDS[frame.code];
  if (known) return known;
  return isName(frame.message) ? frame.message : `the server answered “${frame.code}”`;
}
