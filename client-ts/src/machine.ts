/**
 * The client's decisions: reconnecting, the order of messages, and detecting losses. Events go in with
 * the time, actions come out; there are no timers and no sockets here. `tests/vectors/README.md` specifies
 * the same for implementations in other languages.
 *
 * All times and durations are milliseconds of one monotonic clock.
 */

import { createDelays } from './delay.js';
import { DEFAULTS, type Action, type Close, type Config, type Event, type Frame, type State, type StopReason, type TokenReason, type WaitReason } from './events.js';
import { decide, type Verdict } from './verdict.js';

const enum Ms {
  /** The shortest wait for a server that was full. */
  Full = 5_000,
  /** The longest wait before reconnecting "at once". */
  Jitter = 1_000,
  /** How long after `welcome` a connection counts as stable. */
  Stable = 5_000,
  /** How long `welcome` may take once the socket is open. */
  Welcome = 10_000,
  /** The silence before a `ping`, if `welcome` does not say. */
  Silence = 25_000,
  /** How long a `ping` waits for any message: after silence, and after waking up. */
  Pong = 10_000,
  Probe = 3_000,
  /** A tick later than this means that this host slept, not that the server is silent. */
  Stall = 2_000,
  /** The shortest wait while the network is reported offline. */
  Offline = 20_000,
  /** The time that `reconnect` gives the old connection to close before it opens the next one. */
  Pause = 100,
  /** The wait after `rate_limited` without `retry_after_ms`. */
  Again = 1_000,
}

/** The number of finished requests that are remembered for late answers. */
const LATE = 1_024;
/** The number of channels that are remembered without a subscription. */
const LOBBIES = 1_024;

/** Values in place of the `id` of a `subscribe`. */
const enum Id { Refused = -1, Unasked = 0 }

/** Phases in order: from `Dialing` on there is a socket, from `Opened` on messages may arrive. */
const enum Phase { Idle, Stopped, Waiting, Token, Dialing, Opened, Ready }
const PHASES = ['dialing', 'opened', 'welcomed'] as const;

/** The state of a channel. */
interface Place {
  /** Empty if unknown. */
  epoch: string;
  /** The highest `seq` known. */
  last: number;
}

interface Channel extends Place {
  /** The `id` of the latest `subscribe`, answered or not; or a value of `Id`. */
  id: number;
  active: boolean;
}

/** An unanswered `subscribe`, `message` or `direct` on this connection. */
interface Request {
  channel: string | undefined;
  /** Number of requests sent before it, on any connection. */
  turn: number;
  sent: number;
  /** Whether its result was reported. Of a late answer only the `seq` counts. */
  told: boolean;
  /**
   * Not 0: it was assumed to be the unread one of the requests before this turn. If an answer comes after all, the
   * unread one was another.
   */
  over: number;
}

interface Item {
  id: number;
  frame: Frame;
  bytes: number;
  queue: boolean;
  at: number;
}

const NEVER = Infinity;

export interface Machine {
  /** Handles an event that happens now, and returns the resulting actions in order. */
  handle: (now: number, event: Event) => Action[];
  /** The `id` of the next `publish` or `direct`. */
  nextId: () => number;
  /** When a `tick` is due; `Infinity` for never. */
  deadline: () => number;
}

export function createMachine(options: Partial<Config> = {}): Machine {
  const config: Config = { ...DEFAULTS, ...options };
  const draw = createDelays(config.seed, config.factor);
  let actions: Action[] = [];
  let time = 0;

  let phase: Phase = Phase.Idle;
  /** The timeout of the phase. */
  let endsAt = NEVER;
  let waitsFor: WaitReason = 'backoff';
  let lastClose: Close | null = null;
  let lastBye: Frame | null = null;
  let isOnline = true;

  /** Attempts, and delays before them, since the last stable connection. */
  let attempts = 0;
  let tries = 0;
  let stableAt = NEVER;
  let wanted: TokenReason | null = 'connect';
  /** Whether a new token was already requested because of 4001. */
  let tokenRefused = false;

  let pingMs = 0;
  let heardAt = 0;
  let pingedAt = 0;
  let probeUntil = NEVER;
  let overslept = false;

  let nextId = 1;
  let maxBytes = NEVER;
  const channels = new Map<string, Channel>();
  /** Channels joined without `subscribe` on this connection: by the URL, or by the application. */
  const lobbies = new Map<string, Place>();
  const requests = new Map<number, Request>();
  let turns = 0;
  /** After a sleep of this host, no answer counts as late before this time. */
  let grace = 0;
  let held: Item[] = [];
  /** When to retry the `subscribe` messages that were rate limited. */
  let againAt = NEVER;

  return {
    handle,
    nextId: () => nextId,
    deadline: () => Math.min(endsAt, stableAt, silenceAt(), answerBy(), againAt, (held[0]?.at ?? NEVER) + config.age),
  };

  function handle(now: number, event: Event): Action[] {
    time = now;
    actions = [];
    switch (event.type) {
      case 'start': if (isOff()) startOver(); break;
      case 'stop':
        // Another user may start it again.
        wanted ??= 'connect';
        if (isOff()) break;
        leave('');
        halt('asked');
        break;
      case 'reconnect': startOver(); break;
      case 'token': if (phase === Phase.Token) { wanted = null; dial(); } break;
      case 'token_failed': if (phase === Phase.Token) { if (event.final) halt('token'); else comeBackLater('backoff'); } break;
      case 'opened': if (phase === Phase.Dialing) { phase = Phase.Opened; endsAt = time + Ms.Welcome; } break;
      case 'misused': if (phase === Phase.Dialing) halt('misuse'); break;
      case 'closed': if (hasSocket()) ended(event.code, event.reason, false); break;
      case 'message': if (phase >= Phase.Opened) receive(event.frame); break;
      case 'tick': tick(); break;
      case 'online': isOnline = true; wake(); break;
      case 'offline':
        isOnline = false;
        if (mayHurry()) waitUntil(Math.max(endsAt, time + Ms.Offline), 'offline');
        else checkAlive();
        break;
      case 'suspend':
        // A suspended page must not hold a socket. A wait simply continues.
        if (isOff() || phase === Phase.Waiting) break;
        leave('bfcache');
        waitUntil(NEVER, 'suspended');
        break;
      case 'visible': case 'resume': wake(); break;
      case 'ping': if (phase === Phase.Ready) ping(Ms.Pong); break;
      case 'subscribe': {
        const { channel } = event;
        const known = channels.get(channel);
        if (!known) channels.set(channel, { id: Id.Unasked, active: false, epoch: '', last: NaN });
        else if (known.id === Id.Refused) known.id = Id.Unasked;
        if (phase === Phase.Ready) enterChannels();
        break;
      }
      case 'unsubscribe': {
        const { channel } = event;
        const known = channels.get(channel);
        const isIn = lobbies.delete(channel) || known?.active || (known?.id ?? 0) > Id.Unasked;
        channels.delete(channel);
        if (known) requests.delete(known.id);
        reject(to(channel), 'unsubscribed');
        if (phase === Phase.Ready && isIn) send({ type: 'unsubscribe', channel, id: nextId++ });
        break;
      }
      case 'publish': post({ type: 'message', channel: event.channel, content: event.content, echo: event.echo }, event); break;
      case 'direct': post({ type: 'direct', to: event.to, content: event.content }, event); break;
      case 'cancel': reject((item) => item.id === event.id, 'aborted');
    }
    return actions;
  }

  // Attempts

  function forgive(): void {
    attempts = tries = 0;
    tokenRefused = false;
  }

  function attempt(): void {
    attempts += 1;
    enter(Phase.Token, NEVER);
    become({ status: 'connecting', last: lastClose });
    if (config.token && wanted) emit({ type: 'get_token', reason: wanted });
    else dial();
  }

  function dial(): void {
    lastBye = null;
    enter(Phase.Dialing, time + config.open);
    emit({ type: 'dial' });
  }

  function startOver(): void {
    const open = phase >= Phase.Opened;
    leave('');
    forgive();
    if (open) waitUntil(time + Ms.Pause, 'asked');
    else attempt();
  }

  function ended(code: number, reason: string, silent: boolean): void {
    const bye = lastBye;
    if (bye && (code === 1005 || code === 1006)) ({ code, reason } = bye as unknown as Close);
    const wasReady = phase === Phase.Ready;
    lastClose = { code, reason, phase: PHASES[phase - Phase.Dialing]!, silent };
    forget();
    const verdict = silent && wasReady ? 'jitter' : decide(code, reason);
    let stop = verdict === 'stop';
    if (verdict === 'token') {
      stop = !config.token || tokenRefused;
      tokenRefused = true;
      wanted = 'unauthorized';
    }
    if (verdict === 'expired') wanted = verdict;
    if (stop) halt('code');
    else comeBackLater(verdict, bye?.reconnect_in_ms);
  }

  function comeBackLater(verdict: Verdict, told?: number): void {
    if (config.attempts && attempts >= config.attempts) return halt('attempts');
    let why: WaitReason = 'backoff';
    let delay: number;
    if (told! >= 0) {
      why = 'told';
      delay = told!;
    } else if (verdict === 'full') {
      why = verdict;
      delay = Ms.Full + draw(tries, Ms.Full, Math.max(0, config.max - Ms.Full));
    } else if (verdict === why || tries) delay = draw(tries, config.min, config.max);
    else {
      why = 'jitter';
      delay = draw(0, Ms.Jitter, Ms.Jitter);
    }
    tries += 1;
    if (!isOnline && !stands(why)) {
      why = 'offline';
      delay = Math.max(delay, Ms.Offline);
    }
    waitUntil(time + delay, why);
  }

  function waitUntil(until: number, why: WaitReason): void {
    enter(Phase.Waiting, until);
    waitsFor = why;
    become({ status: 'waiting', until: until === NEVER ? null : until, why, last: lastClose });
  }

  function halt(why: StopReason): void {
    enter(Phase.Stopped, NEVER);
    reject(() => true, 'stopped');
    become({ status: 'stopped', why, last: lastClose });
  }

  function enter(next: Phase, until: number): void {
    phase = next;
    endsAt = until;
  }

  function isOff(): boolean { return phase <= Phase.Stopped; }

  function hasSocket(): boolean { return phase >= Phase.Dialing; }

  /** Closes the socket, if there is one, without waiting for its end. */
  function leave(reason: string): void {
    if (!hasSocket()) return;
    emit({ type: 'close', reason });
    forget();
  }

  /** Resets the state of the connection. */
  function forget(): void {
    stableAt = probeUntil = againAt = NEVER;
    overslept = false;
    for (const [id, request] of requests) if (!request.told && !asking(id, request)) fail(id, 'unconfirmed');
    for (const channel of channels.values()) {
      channel.active = false;
      channel.id = Id.Unasked;
    }
    requests.clear();
    lobbies.clear();
    reject((item) => !item.queue, 'not_connected');
  }

  // The network and the page

  /** Whether it waits for a reason that an event may shorten. */
  function mayHurry(): boolean { return phase === Phase.Waiting && !stands(waitsFor); }

  function wake(): void {
    if (mayHurry()) attempt();
    else checkAlive();
  }

  function checkAlive(): void {
    if (phase === Phase.Ready) ping(Ms.Probe);
  }

  // Time

  function tick(): void {
    const now = time;
    if (endsAt <= now) {
      if (phase === Phase.Waiting) attempt();
      else giveUp();
    }
    if (stableAt <= now) {
      stableAt = NEVER;
      forgive();
    }
    if (silenceAt() <= now) {
      if (probeUntil === NEVER) ping(Ms.Pong);
      else if (now - probeUntil > Ms.Stall && !overslept) {
        // This host slept, so probe before judging.
        overslept = true;
        ping(Ms.Probe);
      } else giveUp();
    }
    if (againAt <= now) {
      againAt = NEVER;
      enterChannels();
    }
    reject((item) => item.at + config.age <= now, 'expired');
    for (const [id, request] of requests) {
      const by = answerBy();
      if (by > now) break;
      if (now - by > Ms.Stall) {
        // This host slept: the answer may have arrived unread.
        grace = now + Ms.Probe;
        break;
      }
      if (request.told) continue;
      request.told = true;
      if (asking(id, request)) emit({ type: 'unanswered', channel: request.channel! });
      else fail(id, 'timeout');
    }
    forgetLate();
  }

  /** When the oldest unanswered request times out. */
  function answerBy(): number {
    for (const { told, sent } of requests.values()) if (!told) return Math.max(sent + config.request, grace);
    return NEVER;
  }

  /** Bounds the memory for requests that are never answered. */
  function forgetLate(): void {
    let left = -LATE;
    for (const { told } of requests.values()) left += +told;
    for (const [id, request] of requests) if (left > 0 && request.told && !asking(id, request)) {
      requests.delete(id);
      left -= 1;
    }
  }

  function giveUp(): void {
    emit({ type: 'close', reason: '' });
    ended(1006, '', true);
  }

  /** When silence leads to a `ping`, or, if one is unanswered, to a new socket. */
  function silenceAt(): number {
    if (phase !== Phase.Ready) return NEVER;
    return probeUntil === NEVER ? heardAt + pingMs : probeUntil;
  }

  /** Sends a `ping` with this timeout. Repeated pings do not extend a pending deadline. */
  function ping(within: number): void {
    pingedAt = time;
    probeUntil = Math.min(time + within, probeUntil > time ? probeUntil : NEVER);
    send({ type: 'ping', timestamp: Math.floor(time) });
  }

  // Messages

  function receive(frame: Frame | null): void {
    heardAt = time;
    probeUntil = NEVER;
    overslept = false;
    if (!frame?.type) return;
    switch (frame.type) {
      case 'welcome': if (phase === Phase.Opened) welcomed(frame); return;
      case 'health_ping': return send({ type: 'health_pong', timestamp: frame.timestamp });
      case 'pong':
        if (frame.timestamp === Math.floor(pingedAt)) emit({ type: 'rtt', ms: time - pingedAt });
        return;
      case 'ack': {
        const { id, seq, delivered } = frame;
        const request = requests.get(id);
        if (!request || asking(id, request)) return;
        if (!request.told) emit({ type: 'done', id, value: seq ?? delivered });
        answered(id);
        return see(request.channel, seq);
      }
      case 'subscribed': return subscribed(frame);
      case 'error': return refusedRequest(frame);
      case 'bye': lastBye = frame; break;
      case 'unsubscribed': {
        const channel = channels.get(frame.channel);
        lobbies.delete(frame.channel);
        // Without an `id` it is not an answer: the application removed us.
        if (channel && frame.id === undefined) {
          channel.active = false;
          // A pending `subscribe` will still be answered.
          if (!requests.has(channel.id)) channel.id = Id.Refused;
        }
        break;
      }
      case 'message': see(frame.channel, frame.seq);
    }
    emit({ type: 'deliver', frame });
  }

  function welcomed(frame: Frame): void {
    enter(Phase.Ready, NEVER);
    stableAt = time + Ms.Stable;
    pingedAt = time;
    pingMs = frame.ping_ms || Ms.Silence;
    maxBytes = frame.max_bytes || NEVER;
    become({ status: 'connected', welcome: frame, last: lastClose });
    enterChannels();
    flush(({ frame }) => !channels.has(frame.channel));
  }

  function refusedRequest(frame: Frame): void {
    const { id, code } = frame;
    const request = requests.get(id);
    if (!request) {
      emit({ type: 'deliver', frame });
      if (code === 'rate_limited') notRead(turns, frame);
      return;
    }
    const name = request.channel!;
    const channel = channels.get(name);
    if (channel?.id !== id) {
      if (!request.told) fail(id, code, frame);
    } else if (code === 'already_subscribed') {
      // It was joined by the URL, so the error of the needless request is not reported.
      if (!channel!.active) {
        emit({ type: 'entered', channel: name });
        enterAt(name, channel!, lobbies.get(name) ?? { epoch: '', last: NaN });
      }
    } else {
      channel!.id = Id.Refused;
      emit({ type: 'refused', channel: name, frame });
      reject(to(name), code);
    }
    answered(id);
  }

  /**
   * If it was assumed to be the unread one, the unread one came after it: the server may report that while it still
   * handles an earlier request.
   */
  function answered(id: number): void {
    const over = requests.get(id)?.over;
    requests.delete(id);
    if (over) notRead(over);
  }

  /** The server discarded a request unread and cannot name it: answers come in order, so it was the oldest. */
  function notRead(before: number, frame?: Frame): void {
    for (const [id, request] of requests) if (!request.over && request.turn < before) {
      const { told } = request;
      request.told = true;
      request.over = before;
      if (asking(id, request)) {
        channels.get(request.channel!)!.id = Id.Unasked;
        againAt = time + (frame?.retry_after_ms || Ms.Again);
      } else if (!told) fail(id, 'rate_limited', frame);
      return forgetLate();
    }
  }

  // Channels

  /** Subscribes to all channels that were not requested yet on this connection. */
  function enterChannels(): void {
    for (const [name, channel] of channels) {
      if (channel.id !== Id.Unasked || channel.active) continue;
      request(channel.id = nextId++, { type: 'subscribe', channel: name });
    }
  }

  function subscribed(frame: Frame): void {
    const { channel: name, id, seq, epoch } = frame;
    const channel = channels.get(name);
    // It never answers a message.
    if (channel?.id === id || requests.get(id)?.over) answered(id);
    // The answer to a withdrawn `subscribe` says nothing about a later one.
    if (channel && channel.id > Id.Unasked && id && channel.id !== id) return;
    emit({ type: 'deliver', frame });
    if (phase < Phase.Ready) return;
    const place = { epoch, last: seq };
    if (channel) {
      if (!channel.active) enterAt(name, channel, place);
    } else if (id === undefined && (lobbies.size < LOBBIES || lobbies.has(name))) lobbies.set(name, place);
  }

  /** Marks a channel as active and sends the messages that waited for it. */
  function enterAt(name: string, channel: Channel, place: Place): void {
    const { epoch: before, last } = channel;
    lobbies.delete(name);
    Object.assign(channel, place, { active: true });
    if (before && place.epoch && before !== place.epoch) emit({ type: 'epoch', channel: name, from: before, to: place.epoch });
    else if (before && place.last > last) emit({ type: 'gap', channel: name, from: last + 1, to: place.last, away: true });
    flush(to(name));
  }

  /**
   * Handles a number in a message or an `ack`. The server queues the `ack` of a message before any later message of
   * the room, so skipped numbers were not delivered and are not our own messages.
   */
  function see(name: string | undefined, seq: number): void {
    const channel = channels.get(name!);
    if (!channel?.active) {
      const lobby = lobbies.get(name!);
      if (lobby && seq > lobby.last) lobby.last = seq;
      return;
    }
    if (!(seq > channel.last)) return;
    if (seq > channel.last + 1) emit({ type: 'gap', channel: name!, from: channel.last + 1, to: seq - 1, away: false });
    channel.last = seq;
  }

  // Sending

  function post(frame: Frame, { bytes, queue = config.queue }: { bytes: number; queue?: boolean | undefined }): void {
    const id = nextId++;
    const item: Item = { id, frame, bytes, queue, at: time };
    const channel = channels.get(frame.channel);
    if (phase === Phase.Ready ? channel && !channel.active && channel.id >= Id.Unasked : queue && phase !== Phase.Stopped) hold(item);
    else if (phase === Phase.Ready) transmit(item);
    else fail(id, phase === Phase.Stopped ? 'stopped' : 'not_connected');
  }

  function hold(item: Item): void {
    const { count, bytes } = config;
    if (item.bytes > bytes || !count) return fail(item.id, 'queue_full');
    held.push(item);
    let sum = 0;
    for (const one of held) sum += one.bytes;
    while (held.length > count || sum > bytes) {
      const oldest = held.shift()!;
      sum -= oldest.bytes;
      fail(oldest.id, 'queue_full');
    }
  }

  function flush(which: (item: Item) => boolean): void { for (const item of takeHeld(which)) transmit(item); }

  function reject(which: (item: Item) => boolean, code: string): void { for (const { id } of takeHeld(which)) fail(id, code); }

  function to(name: string) { return ({ frame }: Item) => frame.channel === name; }

  function takeHeld(which: (item: Item) => boolean): Item[] {
    const taken = held.filter(which);
    held = held.filter((item) => !which(item));
    return taken;
  }

  function transmit({ id, frame, bytes }: Item): void {
    if (bytes > maxBytes) return fail(id, 'too_large');
    request(id, frame);
  }

  function request(id: number, frame: Frame): void {
    requests.set(id, { channel: frame.channel, turn: turns++, sent: time, told: false, over: 0 });
    send({ ...frame, id });
  }

  /** Whether this is the pending `subscribe` of a channel. */
  function asking(id: number, { channel }: Request): boolean { return channels.get(channel!)?.id === id; }

  // Actions

  function emit(action: Action): void { actions.push(action); }
  function send(frame: Frame): void { emit({ type: 'send', frame }); }

  function fail(id: number, code: string, frame?: Frame): void { emit({ type: 'failed', id, code, frame }); }

  function become(state: State): void { emit({ type: 'state', state }); }
}

/** Whether the server demands this wait, so that no event shortens it. */
function stands(why: WaitReason): boolean { return why === 'told' || why === 'full'; }
