import { attempt, checkAlive, comeBackLater, dial, ended, enter, forgive, giveUp, halt, isOff, isReady, leave, mayHurry, Phase, startOver, waitUntil, type Machine } from './attempts.js';
import { subscribe, unsubscribe } from './channels.js';
import { emit, Ms, NEVER, send } from './context.js';
import { DEFAULTS, type Config, type Frame, type Post } from './events.js';
import { isLost, ping, silenceAt } from './liveness.js';
import { drop, hold, isEarly, reject, to, transmit } from './messages.js';
import { given } from './given.js';
import type { Position } from './place.js';
import { answerBy, enterChannels, reportLate, retry } from './requests.js';

export function newMachine(options: { [K in keyof Config]?: Config[K] | undefined }): Machine {
  return {
    ...DEFAULTS, ...given(options) as Partial<Config>, _now: 0, _actions: [], _nextId: 1,
    _phase: Phase.Idle, _endsAt: NEVER, _lastClose: null, _isOnline: true,
    _attempts: 0, _tries: 0, _stableAt: NEVER, _wanted: 'connect', _refreshAt: NEVER,
    _silence: NEVER, _heardAt: 0, _pingedAt: 0, _probeUntil: NEVER,
    _held: [], _maxBytes: NEVER,
    _requests: new Map(), _turns: 0, _grace: 0, _flight: [], _againAt: NEVER,
    _channels: new Map(), _lobbies: new Map(),
  };
}

/** When a `tick` is due; `Infinity` for never. */
export function deadline(m: Machine): number {
  return Math.min(m._endsAt, m._stableAt, isReady(m) ? m._refreshAt : NEVER, silenceAt(m), answerBy(m), m._againAt, (m._held[0]?.at ?? NEVER) + m.age);
}

// The application

/** Connects, if it is idle or stopped. */
export function start(m: Machine): void { if (isOff(m)) startOver(m); }

export { startOver };

export function stop(m: Machine): void {
  // Another user may start it again.
  m._wanted ??= 'connect';
  if (isOff(m)) return;
  leave(m, '');
  halt(m, 'asked');
}

export function join(m: Machine, channel: string, since?: Position, last?: number): void {
  subscribe(m, channel, since, last);
  if (isReady(m)) enterChannels(m);
}

export function part(m: Machine, channel: string): void {
  // Nobody waits for the answer to its `subscribe`.
  m._requests.delete(m._channels.get(channel)?.id ?? 0);
  const isIn = unsubscribe(m, channel);
  reject(m, to(channel), 'unsubscribed');
  if (isReady(m) && isIn) send(m, { type: 'unsubscribe', channel, id: m._nextId++ });
}

/** Sends a request, lets it wait, or fails it. */
export function post(m: Machine, { bytes, queue = m.queue, content, ...fields }: Post): void {
  const frame: Frame = fields.type === 'call' ? { ...fields, params: content } : { ...fields, content };
  if (fields.type === 'publish') frame.type = 'message';
  const item = { id: m._nextId++, frame, bytes, queue: queue && !frame.volatile, at: m._now };
  const isStopped = m._phase === Phase.Stopped;
  if (isReady(m) ? isEarly(m, frame) : item.queue && !isStopped) hold(m, item);
  else if (isReady(m)) transmit(m, item);
  else drop(m, item, isStopped ? 'stopped' : 'not_connected');
}

/** Gives up a message that waits. */
export function cancel(m: Machine, id: number): void { reject(m, (item) => item.id === id, 'aborted'); }

/** Measures the round-trip time now. */
export function measure(m: Machine): void { if (isReady(m)) ping(m, Ms.Pong); }

// The token and the socket

/** Uses a token that was asked for, or that the application sets. It expires after so many milliseconds, if that is known. */
export function gotToken(m: Machine, expires?: number): void {
  m._wanted = undefined;
  m._refreshAt = expires! >= 0 ? m._now + Math.max(Ms.Again, Math.floor(expires! * 0.75)) : NEVER;
  if (m._phase === Phase.Token) dial(m);
  else if (isReady(m)) send(m, { type: 'auth' });
  else if (m._phase > Phase.Token) startOver(m);
}

/** `isFinal`: no token can be obtained. */
export function noToken(m: Machine, isFinal?: boolean): void {
  if (isReady(m)) m._refreshAt = isFinal ? NEVER : m._now + Ms.Refresh;
  if (m._phase !== Phase.Token) return;
  if (isFinal) halt(m, 'token');
  else comeBackLater(m, 'backoff');
}

export function opened(m: Machine): void { if (m._phase === Phase.Dialing) enter(m, Phase.Opened, m._now + Ms.Welcome); }

/** No socket can be opened with these options. */
export function misused(m: Machine): void { if (m._phase === Phase.Dialing) halt(m, 'misuse'); }

export function closed(m: Machine, code: number, reason: string): void { if (m._phase >= Phase.Dialing) ended(m, code, reason, false); }

// The network and the page

export function wake(m: Machine): void {
  if (mayHurry(m)) attempt(m);
  else checkAlive(m);
}

export function online(m: Machine): void {
  m._isOnline = true;
  wake(m);
}

export function offline(m: Machine): void {
  m._isOnline = false;
  if (mayHurry(m)) waitUntil(m, Math.max(m._endsAt, m._now + Ms.Offline), 'offline');
  else checkAlive(m);
}

/** Lets go of the socket, which a suspended page must not hold. A wait simply continues. */
export function suspend(m: Machine): void {
  if (isOff(m) || m._phase === Phase.Waiting) return;
  leave(m, 'bfcache');
  waitUntil(m, NEVER, 'suspended');
}

// The clock

/** Does what is due. */
export function tick(m: Machine): void {
  const now = m._now;
  if (m._endsAt <= now) {
    if (m._phase === Phase.Waiting) attempt(m);
    else giveUp(m);
  }
  if (m._stableAt <= now) {
    m._stableAt = NEVER;
    forgive(m);
  }
  if (isReady(m) && m._refreshAt <= now) {
    m._refreshAt = NEVER;
    if (m.token) emit(m, { type: 'get_token', reason: 'expiring' });
  }
  if (isLost(m)) giveUp(m);
  retry(m);
  reject(m, (item) => item.at + m.age <= now, 'expired');
  reportLate(m);
}
