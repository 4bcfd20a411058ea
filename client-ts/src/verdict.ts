/**
 * The reaction to a close: stop; back off; back off from five seconds; reconnect at once with jitter; the
 * same with a new token, which is requested once (`token`) or always (`expired`).
 */
export type Verdict = 'stop' | 'backoff' | 'full' | 'jitter' | 'token' | 'expired';

/** Returns the reaction to a close code. */
export function decide(code: number, reason: string): Verdict {
  if (code === 4001) return 'token';
  if (code === 4201) return 'jitter';
  if (code === 4202) return 'expired';
  if (code === 4002 && reason !== 'lobby_full') return 'full';
  // Violations, what the application or its policies forbid, and the ranges 3000 to 3999 and 4500 to 4999.
  return /^(3|4[5-9]|400[2-5]|100[23789]|1000replaced$)/.test(code + reason) ? 'stop' : 'backoff';
}
