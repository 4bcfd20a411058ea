import { homePosition, leaveAll, type Channels } from './channels.js';
import { emit, Ms, NEVER, type Context } from './context.js';
import type { Close, Frame, State, StopReason, TokenReason, WaitReason } from './events.js';
import { ping, type Liveness } from './liveness.js';
import { hold, reject, type Messages } from './messages.js';
import { endRequests, type Requests } from './requests.js';
import { draw } from './delay.js';
import { decide, type Verdict } from './verdict.js';

/** Phases in order: from `Dialing` on there is a socket, from `Opened` on messages may arrive. */
export const enum Phase { Idle, Stopped, Waiting, Token, Dialing, Opened, Ready }

/** The connection: whether there is one, why not, and when the next attempt is. */
export interface Attempts {
  _phase: Phase;
  /** The timeout of the phase. */
  _endsAt: number;
  _waitsFor?: WaitReason;
  _lastClose: Close | null;
  _lastBye?: Frame | undefined;
  _isOnline: boolean;
  /** Attempts, and delays before them, since the last stable connection. */
  _attempts: number;
  _tries: number;
  /** When the connection counts as stable. */
  _stableAt: number;
  _wanted: TokenReason | undefined;
  /** When to refresh the token. */
  _refreshAt: number;
  /** Whether a new token was already requested because of 4001. */
  _tokenRefused?: boolean;
}

export type Machine = Attempts & Liveness & Messages & Requests & Channels & Context;

export function isOff(m: Attempts): boolean { return m._phase <= Phase.Stopped; }

export function isReady(m: Attempts): boolean { return m._phase === Phase.Ready; }

export function enter(m: Attempts, next: Phase, until: number): void {
  m._phase = next;
  m._endsAt = until;
}

/** Reports a state. */
export function become(m: Attempts & Context, state: DistributiveOmit<State, 'last'>): void { emit(m, { type: 'state', state: { ...state, last: m._lastClose } as State }); }

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

export function forgive(m: Attempts): void {
  m._attempts = m._tries = 0;
  m._tokenRefused = false;
}

export function attempt(m: Machine): void {
  m._attempts += 1;
  if (m._refreshAt <= m._now) m._wanted ??= 'expiring';
  enter(m, Phase.Token, NEVER);
  become(m, { status: 'connecting' });
  if (m.token && m._wanted) emit(m, { type: 'get_token', reason: m._wanted });
  else dial(m);
}

export function dial(m: Machine): void {
  m._lastBye = undefined;
  m._announced = false;
  enter(m, Phase.Dialing, m._now + m.open);
  const since = homePosition(m);
  emit(m, { type: 'dial', session: m.session || undefined, since: since && `${since.epoch}.${since.seq}` });
}

export function startOver(m: Machine): void {
  const open = m._phase >= Phase.Opened;
  leave(m, '');
  forgive(m);
  if (open) waitUntil(m, m._now + Ms.Pause, 'asked');
  else attempt(m);
}

/** Handles the end of a connection or of an attempt. */
export function ended(m: Machine, code: number, reason: string, silent: boolean): void {
  const bye = m._lastBye;
  if (bye && (code === 1005 || code === 1006)) ({ code, reason } = bye as unknown as Close);
  const wasReady = isReady(m);
  m._lastClose = { code, reason, phase: m._phase === Phase.Dialing ? 'dialing' : wasReady ? 'welcomed' : 'opened', silent };
  forget(m);
  const verdict = silent && wasReady ? 'jitter' : decide(code, reason);
  const stop = verdict === 'stop' || (verdict === 'token' && (!m.token || m._tokenRefused));
  if (verdict === 'token') {
    m._tokenRefused = true;
    m._wanted = 'unauthorized';
  }
  if (verdict === 'expired') m._wanted = verdict;
  if (stop) halt(m, 'code');
  else comeBackLater(m, verdict, bye?.reconnect_in_ms);
}

export function comeBackLater(m: Machine, verdict: Verdict, told?: number): void {
  if (m.attempts && m._attempts >= m.attempts) return halt(m, 'attempts');
  let [delay, why]: [number, WaitReason] =
    told! >= 0 ? [+told!, 'told']
    : verdict === 'full' ? [Ms.Full + draw(m, m._tries, Ms.Full, Math.max(0, m.max - Ms.Full)), verdict]
    : verdict === 'backoff' || m._tries ? [draw(m, m._tries, m.min, m.max), 'backoff']
    : [draw(m, 0, Ms.Jitter, Ms.Jitter), 'jitter'];
  m._tries += 1;
  if (!m._isOnline && !stands(why)) {
    why = 'offline';
    delay = Math.max(delay, Ms.Offline);
  }
  waitUntil(m, m._now + delay, why);
}

export function waitUntil(m: Machine, until: number, why: WaitReason): void {
  enter(m, Phase.Waiting, until);
  m._waitsFor = why;
  become(m, { status: 'waiting', until: until === NEVER ? null : until, why });
}

export function halt(m: Machine, why: StopReason): void {
  enter(m, Phase.Stopped, NEVER);
  reject(m, () => true, 'stopped');
  become(m, { status: 'stopped', why });
}

/** Closes the socket, if there is one, without waiting for its end. */
export function leave(m: Machine, reason: string): void {
  if (m._phase < Phase.Dialing) return;
  emit(m, { type: 'close', reason });
  forget(m);
}

export function giveUp(m: Machine): void {
  emit(m, { type: 'close', reason: '' });
  ended(m, 1006, '', true);
}

/** Resets the state of the connection. */
function forget(m: Machine): void {
  m._stableAt = m._silence = m._probeUntil = NEVER;
  m._overslept = false;
  const kept = endRequests(m);
  leaveAll(m);
  reject(m, (item) => !item.queue, 'not_connected');
  for (const item of kept) hold(m, item);
}

// The network and the page

/** Whether it waits for a reason that an event may shorten. */
export function mayHurry(m: Attempts): boolean { return m._phase === Phase.Waiting && !stands(m._waitsFor!); }

export function checkAlive(m: Machine): void {
  if (isReady(m)) ping(m, Ms.Probe);
}

/** Whether the server demands this wait, so that no event shortens it. */
function stands(why: WaitReason): boolean { return why === 'told' || why === 'full'; }
