/**
 * The client's decisions: reconnecting, the order of messages, and detecting losses. Events go in with
 * the time, actions come out; there are no timers and no sockets here. `tests/vectors/README.md` specifies
 * the same for implementations in other languages.
 *
 * All times and durations are milliseconds of one monotonic clock.
 */

// Imports and calls between the files of the machine point downwards:
//
//   machine                        what the application and the clock do
//   receive                        what the server does
//   attempts                       connections
//   messages                       what waits
//   requests                       what was sent
//   channels, liveness             what is known of channels and of the server
//   queue, place, delay, verdict   rules without a state of their own
//   context, events                what they consist of

import { attempt, checkAlive, comeBackLater, dial, ended, enter, forgive, giveUp, halt, isOff, isReady, leave, mayHurry, Phase, startOver, waitUntil, wake, type Machine as Parts } from './attempts.js';
import { subscribe, unsubscribe } from './channels.js';
import { Ms, NEVER, send } from './context.js';
import { DEFAULTS, type Action, type Config, type Event, type Frame } from './events.js';
import { isLost, ping, silenceAt } from './liveness.js';
import { drop, hold, isEarly, reject, to, transmit } from './messages.js';
import { answerBy, enterChannels, reportLate, retry } from './requests.js';
import { receive } from './receive.js';

export interface Machine {
  /** Handles an event that happens now, and returns the resulting actions in order. */
  handle: (now: number, event: Event) => Action[];
  /** The `id` of the next `publish` or `direct`. */
  nextId: () => number;
  /** When a `tick` is due; `Infinity` for never. */
  deadline: () => number;
}

export function createMachine(options: Partial<Config> = {}): Machine {
  const m: Parts = {
    ...DEFAULTS, ...options, _now: 0, _actions: [], _nextId: 1,
    _phase: Phase.Idle, _endsAt: NEVER, _lastClose: null, _isOnline: true,
    _attempts: 0, _tries: 0, _stableAt: NEVER, _wanted: 'connect',
    _silence: NEVER, _heardAt: 0, _pingedAt: 0, _probeUntil: NEVER,
    _held: [], _maxBytes: NEVER,
    _requests: new Map(), _turns: 0, _grace: 0, _flight: [], _againAt: NEVER,
    _channels: new Map(), _lobbies: new Map(),
  };
  return {
    handle: (now, event) => {
      m._now = now;
      m._actions = [];
      happen(m, event);
      return m._actions;
    },
    nextId: () => m._nextId,
    deadline: () => Math.min(m._endsAt, m._stableAt, silenceAt(m), answerBy(m), m._againAt, (m._held[0]?.at ?? NEVER) + m.age),
  };
}

function happen(m: Parts, event: Event): void {
  switch (event.type) {
    case 'start': if (isOff(m)) startOver(m); break;
    case 'stop':
      // Another user may start it again.
      m._wanted ??= 'connect';
      if (isOff(m)) break;
      leave(m, '');
      halt(m, 'asked');
      break;
    case 'reconnect': startOver(m); break;
    case 'token': if (m._phase === Phase.Token) { m._wanted = undefined; dial(m); } break;
    case 'token_failed': if (m._phase === Phase.Token) { if (event.final) halt(m, 'token'); else comeBackLater(m, 'backoff'); } break;
    case 'opened': if (m._phase === Phase.Dialing) enter(m, Phase.Opened, m._now + Ms.Welcome); break;
    case 'misused': if (m._phase === Phase.Dialing) halt(m, 'misuse'); break;
    case 'closed': if (m._phase >= Phase.Dialing) ended(m, event.code, event.reason, false); break;
    case 'message': if (m._phase >= Phase.Opened) receive(m, event.frame); break;
    case 'tick': tick(m); break;
    case 'online': m._isOnline = true; wake(m); break;
    case 'offline':
      m._isOnline = false;
      if (mayHurry(m)) waitUntil(m, Math.max(m._endsAt, m._now + Ms.Offline), 'offline');
      else checkAlive(m);
      break;
    case 'suspend':
      // A suspended page must not hold a socket. A wait simply continues.
      if (isOff(m) || m._phase === Phase.Waiting) break;
      leave(m, 'bfcache');
      waitUntil(m, NEVER, 'suspended');
      break;
    case 'visible': case 'resume': wake(m); break;
    case 'ping': if (isReady(m)) ping(m, Ms.Pong); break;
    case 'subscribe':
      subscribe(m, event.channel, event.since, event.last);
      if (isReady(m)) enterChannels(m);
      break;
    case 'unsubscribe': {
      const { channel } = event;
      // Nobody waits for the answer to its `subscribe`.
      m._requests.delete(m._channels.get(channel)?.id ?? 0);
      const isIn = unsubscribe(m, channel);
      reject(m, to(channel), 'unsubscribed');
      if (isReady(m) && isIn) send(m, { type: 'unsubscribe', channel, id: m._nextId++ });
      break;
    }
    case 'publish': post(m, { type: 'message', channel: event.channel, content: event.content, echo: event.echo }, event); break;
    case 'direct': post(m, { type: 'direct', to: event.to, content: event.content }, event); break;
    case 'cancel': reject(m, (item) => item.id === event.id, 'aborted');
  }
}

/** Sends a message, lets it wait, or fails it. */
function post(m: Parts, frame: Frame, { bytes, queue = m.queue }: { bytes: number; queue?: boolean | undefined }): void {
  const item = { id: m._nextId++, frame, bytes, queue, at: m._now };
  const isStopped = m._phase === Phase.Stopped;
  if (isReady(m) ? isEarly(m, frame) : queue && !isStopped) hold(m, item);
  else if (isReady(m)) transmit(m, item);
  else drop(m, item, isStopped ? 'stopped' : 'not_connected');
}

/** Does what is due. */
function tick(m: Parts): void {
  const now = m._now;
  if (m._endsAt <= now) {
    if (m._phase === Phase.Waiting) attempt(m);
    else giveUp(m);
  }
  if (m._stableAt <= now) {
    m._stableAt = NEVER;
    forgive(m);
  }
  if (isLost(m)) giveUp(m);
  retry(m);
  reject(m, (item) => item.at + m.age <= now, 'expired');
  reportLate(m);
}
