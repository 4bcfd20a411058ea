/**
 * What the client decides: whether, when and how to come back, what to send and in which order, what
 * was lost. Events go in with the time, actions come out; there are no timers and no sockets here.
 * `tests/vectors/README.md` says the same in prose, for implementations in other languages.
 *
 * All times and durations are milliseconds of one clock that never goes back.
 */

/** A message of the protocol, as parsed from JSON. */
export interface Frame {
  type: string;
  [field: string]: any;
}

/** How the last connection, or the last attempt at one, ended. */
export interface Close {
  /** The close code; 1006 where there was none. */
  readonly code: number;
  /** The server's word for it; may be empty. */
  readonly reason: string;
  /** How far it had come. */
  readonly phase: 'dialing' | 'opened' | 'welcomed';
  /** Whether the client gave up on a server that did not answer. */
  readonly silent: boolean;
}

/** Why the client waits, where it waits. `told` and `full` are the server's word: no event shortens them. */
export type WaitReason = 'backoff' | 'full' | 'jitter' | 'told' | 'offline' | 'suspended' | 'asked';
/**
 * Why the client does not come back: it was told to stop, by the close code, for want of attempts or of a token, or
 * since no socket can ever be opened like this.
 */
export type StopReason = 'asked' | 'code' | 'attempts' | 'token' | 'misuse';
/** Why a new token is asked for. */
export type TokenReason = 'connect' | 'unauthorized' | 'expired';

export type State =
  | { readonly status: 'idle'; readonly last: null }
  | { readonly status: 'connecting'; readonly last: Close | null }
  | { readonly status: 'connected'; readonly welcome: Frame; readonly last: Close | null }
  | { readonly status: 'waiting'; readonly until: number | null; readonly why: WaitReason; readonly last: Close | null }
  | { readonly status: 'stopped'; readonly why: StopReason; readonly last: Close | null };

export interface Config {
  /** Of the random delays; 32 bits. */
  seed: number;
  /** The first ceiling of the backoff, its last one, and what it grows by. */
  min: number;
  max: number;
  factor: number;
  /** Attempts without a stable connection before giving up; 0 for no limit. */
  attempts: number;
  /** How long opening may take: longer than a server gives its hook to answer. */
  open: number;
  /** How long the answer to a request may take, from when it was sent. */
  request: number;
  /** Whether there is somebody to ask for tokens. */
  token: boolean;
  /** Whether messages wait for a connection, unless a message says otherwise. */
  queue: boolean;
  /** How many may wait, with how many bytes in all, and for how long. */
  count: number;
  bytes: number;
  age: number;
}

export const DEFAULTS: Config = {
  seed: 1, min: 500, max: 20_000, factor: 2, attempts: 0, open: 15_000, request: 10_000, token: false, queue: false, count: 100, bytes: 262_144, age: 30_000,
};

const enum Ms {
  /** The shortest wait for a server that was full. */
  Full = 5_000,
  /** The longest wait before coming back "at once". */
  Jitter = 1_000,
  /** How long after `welcome` a connection counts as stable. */
  Stable = 5_000,
  /** How long `welcome` may take once the socket is open. */
  Welcome = 10_000,
  /** The silence before a `ping`, where `welcome` does not tell. */
  Silence = 25_000,
  /** How long a `ping` waits for any message: after silence, and after waking up. */
  Pong = 10_000,
  Probe = 3_000,
  /** A tick that comes later than this tells of our own sleep, not of the server's silence. */
  Stall = 2_000,
  /** The shortest wait while the network is said to be down. */
  Offline = 20_000,
  /** How long a closed connection may take to be gone before `reconnect` opens the next one. */
  Pause = 100,
  /** The wait after `rate_limited` where it does not tell. */
  Again = 1_000,
}

/** How many requests whose end was told are remembered for the sake of a late answer. */
const LATE = 1_024;
/** How many channels are remembered though nobody has subscribed them. */
const LOBBIES = 1_024;

/** What stands for the `id` of a `subscribe` where there is none. */
const enum Id { Refused = -1, Unasked = 0 }

export type Event =
  | { type: 'start' | 'stop' | 'reconnect' | 'opened' | 'misused' | 'token' | 'tick' | 'ping' }
  | { type: 'online' | 'offline' | 'visible' | 'hidden' | 'suspend' | 'resume' }
  | { type: 'token_failed'; final?: boolean }
  | { type: 'closed'; code: number; reason: string }
  | { type: 'message'; frame: Frame | null }
  | { type: 'subscribe' | 'unsubscribe'; channel: string }
  | { type: 'publish'; channel: string; content: unknown; bytes: number; echo?: boolean | undefined; queue?: boolean | undefined }
  | { type: 'direct'; to: string; content: unknown; bytes: number; queue?: boolean | undefined }
  | { type: 'cancel'; id: number };

export type Action =
  | { type: 'get_token'; reason: TokenReason }
  | { type: 'dial' }
  | { type: 'close'; reason: string }
  | { type: 'send' | 'deliver'; frame: Frame }
  | { type: 'state'; state: State }
  | { type: 'refused'; channel: string; frame: Frame }
  | { type: 'entered'; channel: string }
  | { type: 'unanswered'; channel: string }
  | { type: 'gap'; channel: string; from: number; to: number; away: boolean }
  | { type: 'epoch'; channel: string; from: string; to: string }
  | { type: 'done'; id: number; value: number }
  | { type: 'failed'; id: number; code: string; frame: Frame | undefined }
  | { type: 'rtt'; ms: number };

/**
 * What a client does after a close: stay away; back off; back off from five seconds; come back at once
 * with jitter; the same with a new token, which is asked for once (`token`) or always (`expired`).
 */
export type Verdict = 'stop' | 'backoff' | 'full' | 'jitter' | 'token' | 'expired';

/** What a close code asks of a client. */
export function decide(code: number, reason: string): Verdict {
  if (code === 1000) return reason === 'replaced' ? 'stop' : 'backoff';
  if (code === 4001) return 'token';
  if (code === 4002) return reason === 'lobby_full' ? 'stop' : 'full';
  if (code === 4201) return 'jitter';
  if (code === 4202) return 'expired';
  const stop = [1002, 1003, 1007, 1008, 1009, 4003, 4004, 4005];
  // The bands are from 3000 to 3999, and from 4500 to 4999.
  return stop.includes(code) || [6, 7, 9].includes(Math.floor(code / 500)) ? 'stop' : 'backoff';
}

/** In the order of getting there: from `Dialing` on there is a socket, from `Opened` on messages may come. */
const enum Phase { Idle, Stopped, Waiting, Token, Dialing, Opened, Ready }
const PHASES = ['dialing', 'opened', 'welcomed'] as const;

/** Where we stand in a channel. */
interface Place {
  /** Empty where none is known yet. */
  epoch: string;
  /** The highest `seq` known. */
  last: number;
}

interface Channel extends Place {
  /** Of the `subscribe` that waits for its answer or got it; or one of `Id`. */
  id: number;
  active: boolean;
}

/** A `subscribe`, `message` or `direct` on this connection without an answer. */
interface Request {
  channel: string | undefined;
  /** How many were sent before it, on any connection. */
  turn: number;
  sent: number;
  /** Its end was told. Should there be an answer after all, its `seq` counts, and nothing else. */
  told: boolean;
  /**
   * Not 0: it passed for the one that was not read, of those before this turn. Should there be an answer after all,
   * it was another.
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
  /** Takes an event that happens now, and says what is to be done for it, in order. */
  handle: (now: number, event: Event) => Action[];
  /** The `id` of the next `publish` or `direct` handed in. */
  nextId: () => number;
  /** When a `tick` is due; `Infinity` for never. */
  deadline: () => number;
}

export function createMachine(options: Partial<Config> = {}): Machine {
  const config: Config = { ...DEFAULTS, ...options };
  let seed = config.seed;
  let actions: Action[] = [];
  let time = 0;

  let phase: Phase = Phase.Idle;
  /** When the phase ends by itself. */
  let endsAt = NEVER;
  let waitsFor: WaitReason = 'backoff';
  let lastClose: Close | null = null;
  let lastBye: Frame | null = null;
  let isOnline = true;

  /** Attempts, and delays before them, since a connection was stable. */
  let attempts = 0;
  let tries = 0;
  let stableAt = NEVER;
  let wanted: TokenReason | null = 'connect';
  /** Whether a new token was asked for because of 4001 already. */
  let tokenRefused = false;

  let pingMs = 0;
  let heardAt = 0;
  let pingedAt = 0;
  let probeUntil = NEVER;
  let overslept = false;

  let nextId = 1;
  let maxBytes = NEVER;
  const channels = new Map<string, Channel>();
  /** Entered by the server's word alone, on this connection: by the URL, or by the application. */
  const lobbies = new Map<string, Place>();
  const requests = new Map<number, Request>();
  let turns = 0;
  /** We slept: no answer is late before. */
  let grace = 0;
  let held: Item[] = [];
  /** When to ask again for the channels whose `subscribe` the server did not read for want of rate. */
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
        // Whoever starts it again may be somebody else.
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
        // A page that is put away may hold no socket. A wait simply goes on.
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
      delay = Ms.Full + draw(Ms.Full, Math.max(0, config.max - Ms.Full));
    } else if (verdict === why || tries) delay = draw(config.min, config.max);
    else {
      why = 'jitter';
      delay = draw(Ms.Jitter, Ms.Jitter);
    }
    tries += 1;
    if (!isOnline && !stands(why)) {
      why = 'offline';
      delay = Math.max(delay, Ms.Offline);
    }
    waitUntil(time + delay, why);
  }

  /** A random part, from nothing to all of it, of `first`, which grew with each try up to `most`. */
  function draw(first: number, most: number): number {
    let ceiling = Math.min(first, most);
    for (let i = 0; i < tries && ceiling < most; i += 1) ceiling = Math.min(most, Math.floor(ceiling * config.factor));
    return Math.floor((random() >>> 11) * (ceiling + 1) / 2 ** 21);
  }

  /** The one generator of all random delays: splitmix32. */
  function random(): number {
    let z = seed = (seed + 0x9e3779b9) >>> 0;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return z ^ (z >>> 15);
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

  /** Lets go of the socket, if there is one, without waiting for its end. */
  function leave(reason: string): void {
    if (!hasSocket()) return;
    emit({ type: 'close', reason });
    forget();
  }

  /** What was true of the connection is true no more. */
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

  /** Whether it waits, and not by the server's word. */
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
        // It was us who did not run, so ask before judging.
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
        // It was us who did not run: the answer may be here, and not be read yet.
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

  /** When the oldest request without an answer has waited for too long. */
  function answerBy(): number {
    for (const { told, sent } of requests.values()) if (!told) return Math.max(sent + config.request, grace);
    return NEVER;
  }

  /** Whoever never answers does not fill the memory. */
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

  /** When silence is to be answered: by a `ping`, or where one waits, by a new socket. */
  function silenceAt(): number {
    if (phase !== Phase.Ready) return NEVER;
    return probeUntil === NEVER ? heardAt + pingMs : probeUntil;
  }

  /** Asks for a sign of life within so long. Asking again and again does not put off the end. */
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
        // Without an `id` it answers nothing of ours: the application put us out.
        if (channel && frame.id === undefined) {
          channel.active = false;
          // A `subscribe` that waits for its answer is answered all the same.
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
      // It was entered by the URL, and that asking for it was needless is nobody's business.
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
   * If it passed for the one that was not read, that was one after it: the server may say so while it still thinks
   * about an earlier one.
   */
  function answered(id: number): void {
    const over = requests.get(id)?.over;
    requests.delete(id);
    if (over) notRead(over);
  }

  /** The server did not read a request before this turn, so it cannot say which: answers come in order, so it was the oldest. */
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

  /** Asks for all channels that were not asked for yet on this connection. */
  function enterChannels(): void {
    for (const [name, channel] of channels) {
      if (channel.id !== Id.Unasked || channel.active) continue;
      request(channel.id = nextId++, { type: 'subscribe', channel: name });
    }
  }

  function subscribed(frame: Frame): void {
    const { channel: name, id, seq, epoch } = frame;
    const channel = channels.get(name);
    // It answers no message, whatever it says.
    if (channel?.id === id || requests.get(id)?.over) answered(id);
    // The answer to a `subscribe` that was taken back meanwhile says nothing of the one after it.
    if (channel && channel.id > Id.Unasked && id && channel.id !== id) return;
    emit({ type: 'deliver', frame });
    if (phase < Phase.Ready) return;
    const place = { epoch, last: seq };
    if (channel) {
      if (!channel.active) enterAt(name, channel, place);
    } else if (id === undefined && (lobbies.size < LOBBIES || lobbies.has(name))) lobbies.set(name, place);
  }

  /** A channel is active from now on; messages that waited for it go. */
  function enterAt(name: string, channel: Channel, place: Place): void {
    const { epoch: before, last } = channel;
    lobbies.delete(name);
    Object.assign(channel, place, { active: true });
    if (before && place.epoch && before !== place.epoch) emit({ type: 'epoch', channel: name, from: before, to: place.epoch });
    else if (before && place.last > last) emit({ type: 'gap', channel: name, from: last + 1, to: place.last, away: true });
    flush(to(name));
  }

  /**
   * A number that came, in a message or in an `ack`. The server queues the `ack` of a message before any later
   * message of the room, so what a number skips was not delivered to us, and was not ours.
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

  /** Whether this is the `subscribe` that a channel waits for. */
  function asking(id: number, { channel }: Request): boolean { return channels.get(channel!)?.id === id; }

  // Actions

  function emit(action: Action): void { actions.push(action); }
  function send(frame: Frame): void { emit({ type: 'send', frame }); }

  function fail(id: number, code: string, frame?: Frame): void { emit({ type: 'failed', id, code, frame }); }

  function become(state: State): void { emit({ type: 'state', state }); }
}

/** Whether this wait is the server's word, which no event of ours shortens. */
function stands(why: WaitReason): boolean { return why === 'told' || why === 'full'; }
