import { emit, Ms, NEVER, send, type Context } from './context.js';

/** Tells whether the server is silent. */
export interface Liveness {
  /** The silence before a `ping`; endless without a `welcome`. */
  _silence: number;
  _heardAt: number;
  _pingedAt: number;
  /** When to give up unless a message arrives. */
  _probeUntil: number;
  _overslept?: boolean;
}

/** Counts a message of any kind as a sign of life. */
export function heard(m: Liveness & Context): void {
  m._heardAt = m._now;
  m._probeUntil = NEVER;
  m._overslept = false;
}

/** Sends a `ping` with this timeout. Repeated pings do not extend a pending deadline. */
export function ping(m: Liveness & Context, within: number): void {
  const now = m._now;
  m._pingedAt = now;
  m._probeUntil = Math.min(now + within, m._probeUntil > now ? m._probeUntil : NEVER);
  send(m, { type: 'ping', timestamp: Math.floor(now) });
}

/** Reports the round-trip time, if this `pong` answers the latest `ping`. */
export function pong(m: Liveness & Context, timestamp: unknown): void {
  if (timestamp === Math.floor(m._pingedAt)) emit(m, { type: 'rtt', ms: m._now - m._pingedAt });
}

/** When silence leads to a `ping`, or, if one is unanswered, to a new socket. */
export function silenceAt(m: Liveness): number { return m._probeUntil === NEVER ? m._heardAt + m._silence : m._probeUntil; }

/** Does what is due. Returns whether to give up the connection. */
export function isLost(m: Liveness & Context): boolean {
  const now = m._now;
  if (silenceAt(m) > now) return false;
  // This host slept, so probe before judging.
  const overslept = !m._overslept && now - m._probeUntil > Ms.Stall;
  if (m._probeUntil < NEVER && !overslept) return true;
  m._overslept = overslept;
  ping(m, overslept ? Ms.Probe : Ms.Pong);
  return false;
}
