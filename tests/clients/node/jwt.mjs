// JSON Web Tokens built by hand, good and bad.

import { createHmac } from 'node:crypto';

export const SECRET = 'correct horse battery staple';

const encode = (value) => Buffer.from(value).toString('base64url');
const json = (value) => encode(typeof value === 'string' ? value : JSON.stringify(value));

/** Seconds since 1970, from now. */
export const inSeconds = (seconds) => Math.floor(Date.now() / 1000) + seconds;

/** A token with these claims; anything about it can be made wrong. */
export function token(claims, { header = { alg: 'HS256', typ: 'JWT' }, key = SECRET, hash = 'sha256' } = {}) {
  const signed = `${json(header)}.${json(claims)}`;
  return `${signed}.${createHmac(hash, key).update(signed).digest('base64url')}`;
}

/** A good token of a user, for an hour. */
export const of = (user) => token({ sub: user, exp: inSeconds(3600) });

/** The subprotocol that carries a token. */
export const bearer = (token) => `base64url.bearer.switchboard.${encode(token)}`;
