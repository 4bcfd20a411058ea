/**
 * The reaction to a close: stop; back off; back off from five seconds; reconnect at once with jitter; the
 * same with a new token, which is requested once (`token`) or always (`expired`).
 */
export type Verdict = 'stop' | 'backoff' | 'full' | 'jitter' | 'token' | 'expired';

/** Returns the reaction to a close code. */
export function decide(code: number, reason: string): Verdict {
  if (code === 1000) return reason === 'replaced' ? 'stop' : 'backoff';
  if (code === 4001) return 'token';
  if (code === 4002) return reason === 'lobby_full' ? 'stop' : 'full';
  if (code === 4201) return 'jitter';
  if (code === 4202) return 'expired';
  const stop = [1002, 1003, 1007, 1008, 1009, 4003, 4004, 4005];
  // The ranges 3000 to 3999 and 4500 to 4999.
  return stop.includes(code) || [6, 7, 9].includes(Math.floor(code / 500)) ? 'stop' : 'backoff';
}
