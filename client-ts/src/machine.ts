/**
 * The client's decisions: reconnecting, the order of messages, and detecting losses. Events go in with
 * the time, actions come out; there are no timers and no sockets here. `tests/vectors/README.md` specifies
 * the same for implementations in other languages.
 *
 * All times and durations are milliseconds of one monotonic clock.
 */

import { createDelays } from './delay.js';
import { DEFAULTS, type Action, type Close, type Config, type Event, type Frame, type State, type StopReason, type TokenReason, type WaitReason } from './events.js';
import { advance, own, position, type Place, type Position } from './place.js';
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

/** The most bytes that `again` adds to a message. */
const AGAIN_BYTES = 25;

/** Values in place of the `id` of a `subscribe`. */
const enum Id { Refused = -1, Unasked = 0 }

/** Phases in order: from `Dialing` on there is a socket, from `Opened` on messages may arrive. */
const enum Phase { Idle, Stopped, Waiting, Token, Dialing, Opened, Ready }
const PHASES = ['dialing', 'opened', 'welcomed'] as const;

interface Channel extends Place {
  /** The `id` of the latest `subscribe`, answered or not; or a value of `Id`. */
  id: number;
  active: boolean;
  /** How many of the latest messages to ask for, as long as no position is known. */
  last: number | undefined;
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
  /** Whether the server sends the message back. */
  echo: boolean | undefined;
  /** Not `undefined`: it was sent on an earlier connection too, whose answer is unknown. */
  again: number | undefined;
}

/** A message. */
interface Item {
  id: number;
  frame: Frame;
  bytes: number;
  queue: boolean;
  at: number;
  /** The channel's position when it was first sent, where the channel has history. */
  since?: Position | undefined;
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
  /** The lobby of the URL, its position as a lobby, and whether it was announced on this connection. */
  let home: string | undefined;
  let homePlace: Place | undefined;
  let announced = false;
  const requests = new Map<number, Request>();
  let turns = 0;
  /** After a sleep of this host, no answer counts as late before this time. */
  let grace = 0;
  /** Messages that wait, and the latest ones without an answer that can be sent again; both in the order in which they were handed in. */
  let held: Item[] = [];
  let flight: Item[] = [];
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
        const { channel, since, last } = event;
        const known = channels.get(channel);
        // The URL's lobby is continued.
        const from = since ?? (channel === home && !lobbies.has(channel) && position(homePlace));
        if (!known) channels.set(channel, { ...nowhere(), ...(from && { ...from, first: 0 }), id: Id.Unasked, active: false, last });
        else if (known.id === Id.Refused) known.id = Id.Unasked;
        if (phase === Phase.Ready) enterChannels();
        break;
      }
      case 'unsubscribe': {
        const { channel } = event;
        const known = channels.get(channel);
        if (channel === home) homePlace = undefined;
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
    announced = false;
    enter(Phase.Dialing, time + config.open);
    const since = position(channels.get(home!) ?? homePlace);
    emit({ type: 'dial', session: config.session || undefined, since: since && `${since.epoch}.${since.seq}` });
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
    const kept = flight.filter(({ frame }) => channels.has(frame.channel));
    flight = [];
    for (const [id, request] of requests) if (!request.told && !asking(id, request) && !kept.some((item) => item.id === id)) fail(id, 'unconfirmed');
    for (const channel of channels.values()) {
      channel.active = false;
      channel.id = Id.Unasked;
    }
    requests.clear();
    lobbies.clear();
    reject((item) => !item.queue, 'not_connected');
    kept.forEach(hold);
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
        if (!request.told) settle({ type: 'done', id, value: seq ?? delivered });
        answered(id);
        const place = placeOf(request.channel);
        if (place?.first === undefined) see(request.channel, seq);
        // With `echo` the message itself comes too.
        else if (!request.echo) own(place, seq, lost(request.channel!));
        return;
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
      case 'message': {
        const place = placeOf(frame.channel);
        const isNew = !place?.own.has(frame.seq) && see(frame.channel, frame.seq);
        if (!isNew && place?.first !== undefined && frame.seq >= 0) return;
        break;
      }
      case 'skip': case 'gap': {
        const { type, channel, from, to } = frame;
        if (!(from <= to)) return;
        see(channel, from, type === 'gap' ? to + 1 : from, to);
        if (type === 'skip' || channels.get(channel)?.active) return;
      }
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
      if (!request.told) refuse(id, request, code, frame);
    } else if (code === 'already_subscribed') {
      // It was joined by the URL, so the error of the needless request is not reported.
      if (!channel!.active) {
        emit({ type: 'entered', channel: name });
        enterAt(name, channel!, lobbies.get(name) ?? nowhere());
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
      } else if (!told) refuse(id, request, 'rate_limited', frame);
      return forgetLate();
    }
  }

  // Channels

  /** Subscribes to all channels that were not requested yet on this connection. */
  function enterChannels(): void {
    for (const [name, channel] of channels) {
      if (channel.id !== Id.Unasked || channel.active) continue;
      request(channel.id = nextId++, { type: 'subscribe', channel: name, since: position(channel), last: channel.epoch ? undefined : channel.last });
    }
  }

  function subscribed(frame: Frame): void {
    const { channel: name, id } = frame;
    const channel = channels.get(name);
    // It never answers a message.
    if (channel?.id === id || requests.get(id)?.over) answered(id);
    // The answer to a withdrawn `subscribe` says nothing about a later one.
    if (channel && channel.id > Id.Unasked && id && channel.id !== id) return;
    emit({ type: 'deliver', frame });
    if (phase < Phase.Ready) return;
    const told = id === undefined;
    if (told && !announced && !channel?.active) {
      announced = true;
      if (name !== home) homePlace = undefined;
      home = name;
    }
    if (channel) {
      // On an active channel it is a new position.
      if (told || !channel.active) enterAt(name, channel, frame);
    } else if (told && (lobbies.size < LOBBIES || lobbies.has(name))) {
      const place = name === home && homePlace || nowhere();
      take(name, place, frame);
      lobbies.set(name, place);
      if (name === home) homePlace = place;
    }
  }

  /** Marks a channel as active and sends the messages that waited for it: first those whose answer is unknown, if the server can tell. */
  function enterAt(name: string, channel: Channel, from: Frame | Place): void {
    lobbies.delete(name);
    channel.active = true;
    const recovered = take(name, channel, from);
    reject((item) => to(name)(item) && !!item.since && !(recovered && item.since.epoch === channel.epoch), 'unconfirmed');
    flush(to(name));
  }

  /** Moves a place to the position of a `subscribed` or of a lobby. Returns whether everything since the old position follows. */
  function take(name: string, place: Place, { epoch, seq, first, keep, own, recovered }: Partial<Frame>): boolean {
    const { epoch: before } = place;
    const isSame = before === epoch;
    place.first = first ?? undefined;
    place.keep = keep;
    place.fresh = false;
    if (isSame && recovered === true) return true;
    if (before && epoch) {
      if (isSame) advance(place, seq, seq + 1, seq, lost(name, true));
      else if (channels.has(name)) emit({ type: 'epoch', channel: name, from: before, to: epoch });
    }
    // Own numbers do not outlive the epoch. A frame has none, whatever its fields are called.
    Object.assign(place, { epoch, seq, fresh: place.first !== undefined, own: own instanceof Set ? own : new Set() });
    return false;
  }

  /** Reports numbers of an active channel as not delivered. */
  function lost(channel: string, away = false) {
    return (from: number, to: number): void => { if (channels.get(channel)?.active) emit({ type: 'gap', channel, from, to, away }); };
  }

  function nowhere(): Place { return { epoch: '', seq: NaN, own: new Set(), fresh: false }; }

  function placeOf(name: string | undefined): Place | undefined {
    const channel = channels.get(name!);
    return channel?.active ? channel : lobbies.get(name!);
  }

  /** Accounts for the numbers of a channel, as `advance` does. Returns whether any is new. */
  function see(name: string | undefined, start: number, from = start, to = start): boolean {
    const place = placeOf(name);
    return !!place && advance(place, start, from, to, lost(name!));
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

  function hold(item: Item): void { for (const one of add(held, item)) drop(one, 'queue_full'); }

  /** Adds an item and takes out what exceeds the limits of the queue: the oldest ones, or the item if it never fits. */
  function add(items: Item[], item: Item): Item[] {
    const { count, bytes } = config;
    if (item.bytes > bytes || !count) return [item];
    items.push(item);
    items.sort((a, b) => a.id - b.id);
    let first = items.length;
    for (let sum = 0; first && items.length - first < count && (sum += items[first - 1]!.bytes) <= bytes;) first -= 1;
    return items.splice(0, first);
  }

  function flush(which: (item: Item) => boolean): void { for (const item of takeHeld(which)) transmit(item); }

  function reject(which: (item: Item) => boolean, code: string): void { for (const item of takeHeld(which)) drop(item, code); }

  /** Fails a message that is not in flight. If it was sent before, its fate is unknown. */
  function drop({ id, since }: Item, code: string): void { fail(id, since ? 'unconfirmed' : code); }

  function to(name: string) { return ({ frame }: Item) => frame.channel === name; }

  function takeHeld(which: (item: Item) => boolean): Item[] {
    const taken = held.filter(which);
    held = held.filter((item) => !which(item));
    return taken;
  }

  function transmit(item: Item): void {
    const { id, frame, bytes, since } = item;
    if (bytes + (since ? AGAIN_BYTES : 0) > maxBytes) return drop(item, 'too_large');
    request(id, { ...frame, again: since?.seq });
    const channel = channels.get(frame.channel);
    if (!item.queue || !channel?.active) return;
    item.since ??= position(channel);
    if (item.since) add(flight, item);
  }

  function request(id: number, frame: Frame): void {
    requests.set(id, { channel: frame.channel, turn: turns++, sent: time, told: false, over: 0, echo: frame.echo, again: frame.again });
    send({ ...frame, id });
  }

  /** Whether this is the pending `subscribe` of a channel. */
  function asking(id: number, { channel }: Request): boolean { return channels.get(channel!)?.id === id; }

  // Actions

  function emit(action: Action): void { actions.push(action); }
  function send(frame: Frame): void { emit({ type: 'send', frame }); }

  /** Handles an error. On a message that was sent before, only `forbidden` tells that it never arrived. */
  function refuse(id: number, { again }: Request, code: string, frame: Frame | undefined): void {
    if (again === undefined || code === 'forbidden') fail(id, code, frame);
    else fail(id, 'unconfirmed');
  }

  function fail(id: number, code: string, frame?: Frame): void { settle({ type: 'failed', id, code, frame }); }

  function settle(end: Action & { id: number }): void {
    flight = flight.filter(({ id }) => id !== end.id);
    emit(end);
  }

  function become(state: State): void { emit({ type: 'state', state }); }
}

/** Whether the server demands this wait, so that no event shortens it. */
function stands(why: WaitReason): boolean { return why === 'told' || why === 'full'; }
