// Made from client-ts/src by client-ts/scripts/bundle.mjs. Do not edit.

// src/context.ts
function emit(m, action) {
  m._actions.push(action);
}
function send(m, frame) {
  emit(m, { type: "send", frame });
}
var NEVER = Infinity;

// src/place.ts
function position(place) {
  return place?.epoch && place.seq >= 0 && place.first !== void 0 ? { epoch: place.epoch, seq: place.seq } : void 0;
}
function advance(place, start3, from, to2, lost2) {
  if (place._fresh && start3 <= place.seq) place.seq = start3 - 1;
  place._fresh = false;
  let { seq } = place;
  if (!(to2 > seq)) return false;
  if (place.keep !== "latest") {
    for (const one of [...place._own, from].sort((a, b) => a - b)) {
      if (one > from) break;
      if (one > seq + 1) lost2(seq + 1, one - 1);
      seq = Math.max(seq, one);
    }
  }
  place.seq = to2;
  absorb(place);
  return true;
}
function own(place, seq, lost2) {
  if (seq > place.seq && Number.isSafeInteger(seq)) place._own.add(seq);
  if (place._own.size > 1024 /* Own */) {
    const oldest = Math.min(...place._own);
    advance(place, oldest, oldest, oldest, lost2);
  }
  absorb(place);
}
function absorb(place) {
  while (place._own.has(place.seq + 1)) place.seq += 1;
  if (!place._fresh) {
    for (const one of place._own) if (one <= place.seq) place._own.delete(one);
  }
}

// src/channels.ts
function subscribe(m, name, since, last) {
  const known = m._channels.get(name);
  const from = since ?? (name === m._home && !m._lobbies.has(name) && position(m._homePlace));
  if (!known) m._channels.set(name, { ...nowhere(), ...from && { ...from, first: 0 }, id: 0 /* Unasked */, _active: false, last });
  else if (known.id === -1 /* Refused */) known.id = 0 /* Unasked */;
}
function unsubscribe(m, name) {
  const known = m._channels.get(name);
  if (name === m._home) m._homePlace = void 0;
  m._channels.delete(name);
  return m._lobbies.delete(name) || !!known && (known._active || known.id > 0 /* Unasked */);
}
function announce(m, name, frame) {
  const channel = m._channels.get(name);
  if (!m._announced && !channel?._active) {
    m._announced = true;
    if (name !== m._home) m._homePlace = void 0;
    m._home = name;
  }
  if (channel || m._lobbies.size >= 1024 /* Lobbies */ && !m._lobbies.has(name)) return;
  const place = name === m._home && m._homePlace || nowhere();
  take(m, name, place, frame);
  m._lobbies.set(name, place);
  if (name === m._home) m._homePlace = place;
}
function activate(m, name, channel, from = m._lobbies.get(name) ?? nowhere()) {
  if (!channel._active) channel._presence = m._lobbies.get(name)?._presence;
  m._lobbies.delete(name);
  channel._active = true;
  return take(m, name, channel, from);
}
function homePosition(m) {
  return position(m._channels.get(m._home) ?? m._homePlace);
}
function leaveAll(m) {
  for (const channel of m._channels.values()) {
    channel._active = false;
    channel.id = 0 /* Unasked */;
  }
  m._lobbies.clear();
}
function take(m, name, place, { epoch, seq, first, keep, recovered, _own }) {
  const { epoch: before } = place;
  const isSame = before === epoch;
  place.first = first ?? void 0;
  place.keep = keep;
  place._fresh = false;
  if (isSame && recovered === true) return true;
  if (before && epoch) {
    if (isSame) advance(place, seq, seq + 1, seq, lost(m, name, true));
    else if (m._channels.has(name)) emit(m, { type: "epoch", channel: name, from: before, to: epoch });
  }
  Object.assign(place, { epoch, seq, _fresh: place.first !== void 0, _own: _own instanceof Set ? _own : /* @__PURE__ */ new Set() });
  return false;
}
function lost(m, channel, away = false) {
  return (from, to2) => m._channels.get(channel)?._active && emit(m, { type: "gap", channel, from, to: to2, away });
}
function nowhere() {
  return { epoch: "", seq: NaN, _own: /* @__PURE__ */ new Set(), _fresh: false };
}
function placeOf(m, name) {
  const channel = m._channels.get(name);
  return channel?._active ? channel : m._lobbies.get(name);
}
function see(m, name, start3, from = start3, to2 = start3) {
  const place = placeOf(m, name);
  return !!place && advance(place, start3, from, to2, lost(m, name));
}
function seeOwn(m, { channel, echo }, seq) {
  const place = placeOf(m, channel);
  if (place?.first === void 0) see(m, channel, seq);
  else if (!echo) own(place, seq, lost(m, channel));
}

// src/liveness.ts
function heard(m) {
  m._heardAt = m._now;
  m._probeUntil = NEVER;
  m._overslept = false;
}
function ping(m, within) {
  const now = m._now;
  m._pingedAt = now;
  m._probeUntil = Math.min(now + within, m._probeUntil > now ? m._probeUntil : NEVER);
  send(m, { type: "ping", timestamp: Math.floor(now) });
}
function pong(m, timestamp) {
  if (timestamp === Math.floor(m._pingedAt)) emit(m, { type: "rtt", ms: m._now - m._pingedAt });
}
function silenceAt(m) {
  return m._probeUntil === NEVER ? m._heardAt + m._silence : m._probeUntil;
}
function isLost(m) {
  const now = m._now;
  if (silenceAt(m) > now) return false;
  const overslept = !m._overslept && now - m._probeUntil > 2e3 /* Stall */;
  if (m._probeUntil < NEVER && !overslept) return true;
  m._overslept = overslept;
  ping(m, overslept ? 3e3 /* Probe */ : 1e4 /* Pong */);
  return false;
}

// src/queue.ts
function add(items, item, { count, bytes }) {
  if (item.bytes > bytes || !count) return [item];
  items.push(item);
  items.sort((a, b) => a.id - b.id);
  let first = items.length;
  for (let sum = 0; first && items.length - first < count && (sum += items[first - 1].bytes) <= bytes; ) first -= 1;
  return items.splice(0, first);
}

// src/requests.ts
function request(m, id, frame) {
  m._requests.set(id, { _frame: frame, _turn: m._turns++, _sent: m._now, _told: false });
  send(m, { ...frame, id });
}
function remember(m, item) {
  add(m._flight, item, m);
}
function enterChannels(m) {
  for (const [name, channel] of m._channels) {
    if (channel.id !== 0 /* Unasked */ || channel._active) continue;
    request(m, channel.id = m._nextId++, { type: "subscribe", channel: name, since: position(channel), last: channel.epoch ? void 0 : channel.last });
  }
}
function isSubscribe(m, id) {
  return m._channels.get(m._requests.get(id)?._frame.channel)?.id === id;
}
function acknowledged(m, { type, id, seq, delivered, content }) {
  const request2 = m._requests.get(id);
  if (!request2 || request2._frame.type === "call" !== (type === "result") || isSubscribe(m, id)) return;
  if (!request2._told) settle(m, { type: "done", id, value: type === "ack" ? seq ?? delivered ?? 0 : content });
  answered(m, id);
  seeOwn(m, request2._frame, seq);
}
function answered(m, id) {
  const over = m._requests.get(id)?._over;
  m._requests.delete(id);
  if (over) notRead(m, over);
}
function refuse(m, id, code, frame) {
  if (m._requests.get(id)._frame.again === void 0 || code === "forbidden") fail(m, id, code, frame);
  else fail(m, id, "unconfirmed");
}
function notRead(m, before, frame) {
  for (const [id, request2] of m._requests) if (!request2._over && request2._turn < before) {
    const told = request2._told;
    request2._told = true;
    request2._over = before;
    if (isSubscribe(m, id)) {
      m._channels.get(request2._frame.channel).id = 0 /* Unasked */;
      m._againAt = m._now + (frame?.retry_after_ms > 0 ? +frame.retry_after_ms : 1e3 /* Again */);
    } else if (!told) refuse(m, id, "rate_limited", frame);
    return forgetLate(m);
  }
}
function fail(m, id, code, frame) {
  settle(m, { type: "failed", id, code, frame });
}
function settle(m, end) {
  m._flight = m._flight.filter(({ id }) => id !== end.id);
  emit(m, end);
}
function endRequests(m) {
  const kept = m._flight.filter(({ frame }) => m._channels.has(frame.channel));
  m._flight = [];
  m._againAt = NEVER;
  for (const [id, { _told }] of m._requests) if (!_told && !isSubscribe(m, id) && !kept.some((item) => item.id === id)) fail(m, id, "unconfirmed");
  m._requests.clear();
  return kept;
}
function retry(m) {
  if (m._againAt > m._now) return;
  m._againAt = NEVER;
  enterChannels(m);
}
function reportLate(m) {
  const now = m._now;
  for (const [id, request2] of m._requests) {
    const by = answerBy(m);
    if (by > now) break;
    if (now - by > 2e3 /* Stall */) {
      m._grace = now + 3e3 /* Probe */;
      break;
    }
    if (request2._told) continue;
    request2._told = true;
    if (isSubscribe(m, id)) emit(m, { type: "unanswered", channel: request2._frame.channel });
    else fail(m, id, "timeout");
  }
  forgetLate(m);
}
function answerBy(m) {
  for (const { _told, _sent } of m._requests.values()) if (!_told) return Math.max(_sent + m.request, m._grace);
  return NEVER;
}
function forgetLate(m) {
  let left = -1024;
  for (const { _told } of m._requests.values()) left += +_told;
  for (const [id, request2] of m._requests) if (left > 0 && request2._told && !isSubscribe(m, id)) {
    m._requests.delete(id);
    left -= 1;
  }
}

// src/messages.ts
function hold(m, item) {
  for (const one of add(m._held, item, m)) drop(m, one, "queue_full");
}
function flush(m, which) {
  for (const item of takeHeld(m, which)) transmit(m, item);
}
function reject(m, which, code) {
  for (const item of takeHeld(m, which)) drop(m, item, code);
}
function drop(m, { id, since }, code) {
  fail(m, id, since ? "unconfirmed" : code);
}
function takeHeld(m, which) {
  const taken = m._held.filter(which);
  m._held = m._held.filter((item) => !which(item));
  return taken;
}
function to(name) {
  return ({ frame }) => frame.channel === name;
}
function flushChannel(m, name, isRecovered) {
  const { epoch } = m._channels.get(name);
  reject(m, (item) => to(name)(item) && !!item.since && !(isRecovered && item.since.epoch === epoch), "unconfirmed");
  flush(m, to(name));
}
function isEarly(m, { channel: name }) {
  const channel = m._channels.get(name);
  return !!channel && !channel._active && channel.id !== -1 /* Refused */;
}
function transmit(m, item) {
  const { id, frame, bytes, since } = item;
  if (bytes + (since ? 25 /* Again */ : 0) > m._maxBytes) return drop(m, item, "too_large");
  request(m, id, { ...frame, again: since?.seq });
  const channel = m._channels.get(frame.channel);
  if (!item.queue || !channel?._active) return;
  item.since ??= position(channel);
  if (item.since) remember(m, item);
}

// src/delay.ts
function draw(m, tries, first, most) {
  let ceiling = Math.min(first, most);
  for (let i = 0; i < tries; i += 1) ceiling = Math.min(most, Math.floor(ceiling * m.factor));
  let z = m.seed = m.seed + 2654435769 >>> 0;
  z = Math.imul(z ^ z >>> 16, 569420461);
  z = Math.imul(z ^ z >>> 15, 1935289751);
  return Math.floor(((z ^ z >>> 15) >>> 11) * (ceiling + 1) / 2 ** 21);
}

// src/verdict.ts
function decide(code, reason) {
  if (code === 4001) return "token";
  if (code === 4201) return "jitter";
  if (code === 4202) return "expired";
  if (code === 4002 && reason !== "lobby_full") return "full";
  return /^(3|4[5-9]|400[2-5]|100[23789]|1000replaced$)/.test(code + reason) ? "stop" : "backoff";
}

// src/attempts.ts
function isOff(m) {
  return m._phase <= 1 /* Stopped */;
}
function isReady(m) {
  return m._phase === 6 /* Ready */;
}
function enter(m, next, until2) {
  m._phase = next;
  m._endsAt = until2;
}
function become(m, state) {
  emit(m, { type: "state", state: { ...state, last: m._lastClose } });
}
function forgive(m) {
  m._attempts = m._tries = 0;
  m._tokenRefused = false;
}
function attempt(m) {
  m._attempts += 1;
  if (m._refreshAt <= m._now) m._wanted ??= "expiring";
  enter(m, 3 /* Token */, NEVER);
  become(m, { status: "connecting" });
  if (m.token && m._wanted) emit(m, { type: "get_token", reason: m._wanted });
  else dial(m);
}
function dial(m) {
  m._lastBye = void 0;
  m._announced = false;
  enter(m, 4 /* Dialing */, m._now + m.open);
  const since = homePosition(m);
  emit(m, { type: "dial", session: m.session || void 0, since: since && `${since.epoch}.${since.seq}` });
}
function startOver(m) {
  const open = m._phase >= 5 /* Opened */;
  leave(m, "");
  forgive(m);
  if (open) waitUntil(m, m._now + 100 /* Pause */, "asked");
  else attempt(m);
}
function ended(m, code, reason, silent) {
  const bye = m._lastBye;
  if (bye && (code === 1005 || code === 1006)) ({ code, reason } = bye);
  const wasReady = isReady(m);
  m._lastClose = { code, reason, phase: m._phase === 4 /* Dialing */ ? "dialing" : wasReady ? "welcomed" : "opened", silent };
  forget(m);
  const verdict = silent && wasReady ? "jitter" : decide(code, reason);
  const stop2 = verdict === "stop" || verdict === "token" && (!m.token || m._tokenRefused);
  if (verdict === "token") {
    m._tokenRefused = true;
    m._wanted = "unauthorized";
  }
  if (verdict === "expired") m._wanted = verdict;
  if (stop2) halt(m, "code");
  else comeBackLater(m, verdict, bye?.reconnect_in_ms);
}
function comeBackLater(m, verdict, told) {
  if (m.attempts && m._attempts >= m.attempts) return halt(m, "attempts");
  let [delay, why] = told >= 0 ? [+told, "told"] : verdict === "full" ? [5e3 /* Full */ + draw(m, m._tries, 5e3 /* Full */, Math.max(0, m.max - 5e3 /* Full */)), verdict] : verdict === "backoff" || m._tries ? [draw(m, m._tries, m.min, m.max), "backoff"] : [draw(m, 0, 1e3 /* Jitter */, 1e3 /* Jitter */), "jitter"];
  m._tries += 1;
  if (!m._isOnline && !stands(why)) {
    why = "offline";
    delay = Math.max(delay, 2e4 /* Offline */);
  }
  waitUntil(m, m._now + delay, why);
}
function waitUntil(m, until2, why) {
  enter(m, 2 /* Waiting */, until2);
  m._waitsFor = why;
  become(m, { status: "waiting", until: until2 === NEVER ? null : until2, why });
}
function halt(m, why) {
  enter(m, 1 /* Stopped */, NEVER);
  reject(m, () => true, "stopped");
  become(m, { status: "stopped", why });
}
function leave(m, reason) {
  if (m._phase < 4 /* Dialing */) return;
  emit(m, { type: "close", reason });
  forget(m);
}
function giveUp(m) {
  emit(m, { type: "close", reason: "" });
  ended(m, 1006, "", true);
}
function forget(m) {
  m._stableAt = m._silence = m._probeUntil = NEVER;
  m._overslept = false;
  const kept = endRequests(m);
  leaveAll(m);
  reject(m, (item) => !item.queue, "not_connected");
  for (const item of kept) hold(m, item);
}
function mayHurry(m) {
  return m._phase === 2 /* Waiting */ && !stands(m._waitsFor);
}
function checkAlive(m) {
  if (isReady(m)) ping(m, 3e3 /* Probe */);
}
function stands(why) {
  return why === "told" || why === "full";
}

// src/events.ts
var DEFAULTS = {
  seed: 1,
  min: 500,
  max: 2e4,
  factor: 2,
  attempts: 0,
  open: 15e3,
  request: 1e4,
  session: "",
  token: false,
  queue: false,
  count: 100,
  bytes: 262144,
  age: 3e4
};

// src/given.ts
function given(options) {
  const all = { ...options };
  for (const name in all) if (all[name] == null) delete all[name];
  return all;
}

// src/commands.ts
function newMachine(options) {
  return {
    ...DEFAULTS,
    ...given(options),
    _now: 0,
    _actions: [],
    _nextId: 1,
    _phase: 0 /* Idle */,
    _endsAt: NEVER,
    _lastClose: null,
    _isOnline: true,
    _attempts: 0,
    _tries: 0,
    _stableAt: NEVER,
    _wanted: "connect",
    _refreshAt: NEVER,
    _silence: NEVER,
    _heardAt: 0,
    _pingedAt: 0,
    _probeUntil: NEVER,
    _held: [],
    _maxBytes: NEVER,
    _requests: /* @__PURE__ */ new Map(),
    _turns: 0,
    _grace: 0,
    _flight: [],
    _againAt: NEVER,
    _channels: /* @__PURE__ */ new Map(),
    _lobbies: /* @__PURE__ */ new Map()
  };
}
function deadline(m) {
  return Math.min(m._endsAt, m._stableAt, isReady(m) ? m._refreshAt : NEVER, silenceAt(m), answerBy(m), m._againAt, (m._held[0]?.at ?? NEVER) + m.age);
}
function start(m) {
  if (isOff(m)) startOver(m);
}
function stop(m) {
  m._wanted ??= "connect";
  if (isOff(m)) return;
  leave(m, "");
  halt(m, "asked");
}
function join(m, channel, since, last) {
  subscribe(m, channel, since, last);
  if (isReady(m)) enterChannels(m);
}
function part(m, channel) {
  m._requests.delete(m._channels.get(channel)?.id ?? 0);
  const isIn = unsubscribe(m, channel);
  reject(m, to(channel), "unsubscribed");
  if (isReady(m) && isIn) send(m, { type: "unsubscribe", channel, id: m._nextId++ });
}
function post(m, { bytes, queue = m.queue, content, ...fields }) {
  const frame = fields.type === "call" ? { ...fields, params: content } : { ...fields, content };
  if (fields.type === "publish") frame.type = "message";
  const item = { id: m._nextId++, frame, bytes, queue: queue && !frame.volatile, at: m._now };
  const isStopped = m._phase === 1 /* Stopped */;
  if (isReady(m) ? isEarly(m, frame) : item.queue && !isStopped) hold(m, item);
  else if (isReady(m)) transmit(m, item);
  else drop(m, item, isStopped ? "stopped" : "not_connected");
}
function cancel(m, id) {
  reject(m, (item) => item.id === id, "aborted");
}
function measure(m) {
  if (isReady(m)) ping(m, 1e4 /* Pong */);
}
function gotToken(m, expires) {
  m._wanted = void 0;
  m._refreshAt = expires >= 0 ? m._now + Math.max(1e3 /* Again */, Math.floor(expires * 0.75)) : NEVER;
  if (m._phase === 3 /* Token */) dial(m);
  else if (isReady(m)) send(m, { type: "auth" });
  else if (m._phase > 3 /* Token */) startOver(m);
}
function noToken(m, isFinal) {
  if (isReady(m)) m._refreshAt = isFinal ? NEVER : m._now + 5e3 /* Refresh */;
  if (m._phase !== 3 /* Token */) return;
  if (isFinal) halt(m, "token");
  else comeBackLater(m, "backoff");
}
function opened(m) {
  if (m._phase === 4 /* Dialing */) enter(m, 5 /* Opened */, m._now + 1e4 /* Welcome */);
}
function misused(m) {
  if (m._phase === 4 /* Dialing */) halt(m, "misuse");
}
function closed(m, code, reason) {
  if (m._phase >= 4 /* Dialing */) ended(m, code, reason, false);
}
function wake(m) {
  if (mayHurry(m)) attempt(m);
  else checkAlive(m);
}
function online(m) {
  m._isOnline = true;
  wake(m);
}
function offline(m) {
  m._isOnline = false;
  if (mayHurry(m)) waitUntil(m, Math.max(m._endsAt, m._now + 2e4 /* Offline */), "offline");
  else checkAlive(m);
}
function suspend(m) {
  if (isOff(m) || m._phase === 2 /* Waiting */) return;
  leave(m, "bfcache");
  waitUntil(m, NEVER, "suspended");
}
function tick(m) {
  const now = m._now;
  if (m._endsAt <= now) {
    if (m._phase === 2 /* Waiting */) attempt(m);
    else giveUp(m);
  }
  if (m._stableAt <= now) {
    m._stableAt = NEVER;
    forgive(m);
  }
  if (isReady(m) && m._refreshAt <= now) {
    m._refreshAt = NEVER;
    if (m.token) emit(m, { type: "get_token", reason: "expiring" });
  }
  if (isLost(m)) giveUp(m);
  retry(m);
  reject(m, (item) => item.at + m.age <= now, "expired");
  reportLate(m);
}

// src/emitter.ts
var Emitter = class {
  #listeners = /* @__PURE__ */ new Map();
  /** Calls `listener` for each event of this type until the returned function is called. */
  on(type, listener) {
    const all = this.#listeners.get(type) ?? /* @__PURE__ */ new Set();
    this.#listeners.set(type, all.add(listener));
    return () => all.delete(listener);
  }
  /** @internal */
  _emit(type, value) {
    this.#listeners.get(type)?.forEach((listener) => {
      try {
        listener(value);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    });
  }
};

// src/errors.ts
var SwitchboardError = class extends Error {
  /**
   * @param code the server's error code, or `not_connected`, `unconfirmed` (sent, but the connection ended before the answer), `timeout` (no answer),
   *   `queue_full` (too much waits for a connection or for the network), `expired`, `too_large`, `unsubscribed`, `aborted`,
   *   `bad_content` (cannot be encoded as JSON), `stopped`, `overflow`
   * @param frame the server's `error`, if there is one
   */
  constructor(code, frame, cause) {
    super(frame?.message ?? code, { cause });
    this.code = code;
    this.frame = frame;
  }
  code;
  frame;
};

// src/subscription.ts
var Subscription = class extends Emitter {
  /** @internal */
  constructor(channel, leave2) {
    super();
    this.channel = channel;
    this.#leave = leave2;
  }
  channel;
  status = "pending";
  /** Presence in the channel; `null` until the server reports it, and while the channel is not active. */
  presence = null;
  #leave;
  close() {
    if (this.status === "closed") return;
    this.#leave();
    this._mark("closed");
  }
  /** @internal */
  _mark(status, presence = null) {
    if (this.status === status) return;
    this.status = status;
    this.presence = presence;
    this._emit("status", status);
  }
  /** Iterates over further messages until the subscription is closed. A slow reader gets what waits, then `overflow`. */
  [Symbol.asyncIterator]() {
    const buffer = [];
    const waiting = [];
    let isFull = false;
    let isOver = false;
    const wake2 = () => waiting.splice(0).forEach((one) => one());
    const off = [
      this.on("message", (message) => {
        isFull ||= buffer.length >= 1024 /* Unread */;
        if (!isFull) buffer.push(message);
        wake2();
      }),
      this.on("status", wake2)
    ];
    const end = () => {
      isOver = true;
      off.forEach((one) => one());
      wake2();
    };
    const next = async () => {
      while (!isOver) {
        const value = buffer.shift();
        if (value) return { value };
        if (isFull || this.status === "closed") {
          end();
          if (isFull) throw new SwitchboardError("overflow");
        } else await new Promise((resolve2) => waiting.push(resolve2));
      }
      return { value: void 0, done: true };
    };
    return {
      next,
      return: () => {
        end();
        return next();
      },
      [Symbol.asyncIterator]() {
        return this;
      }
    };
  }
};

// src/text.ts
function encode(content) {
  let cause;
  try {
    const text = JSON.stringify(content);
    if (text) return text;
  } catch (error) {
    cause = error;
  }
  throw new SwitchboardError("bad_content", void 0, cause);
}
function toText({ content, params, ...frame }) {
  const text = JSON.stringify(frame);
  const json = params ?? content;
  return json ? text.slice(0, -1) + `,"${params ? "params" : "content"}":${json}}` : text;
}
function parse(data) {
  try {
    return JSON.parse(data);
  } catch {
    return null;
  }
}
function randomName() {
  return crypto.getRandomValues(new Uint32Array(4)).join("-");
}
function utf8(text) {
  return unescape(encodeURIComponent(text));
}
function base64url(text) {
  return btoa(utf8(text)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");
}

// src/page.ts
function watch(run) {
  const end = new AbortController();
  const { document, navigator: navigator2 } = globalThis;
  const on = (target, name, what, when = () => true) => target?.addEventListener?.(name, (event) => {
    if (when(event)) run(what);
  }, end);
  on(globalThis, "online", online);
  on(globalThis, "offline", offline);
  on(globalThis, "pageshow", wake);
  on(globalThis, "pagehide", suspend, (event) => event.persisted);
  on(document, "resume", wake);
  on(document, "visibilitychange", wake, () => document.visibilityState === "visible");
  if (navigator2?.onLine === false) run(offline);
  return end;
}

// src/presence.ts
function merge(before, { count, users, joined, left, info }) {
  const names = new Set(users ? list(users) : before?.users);
  const infos = { __proto__: null, ...!users && before?.info, ...info };
  for (const name of list(joined)) names.add(name);
  for (const name of list(left)) {
    names.delete(name);
    delete infos[name];
  }
  return { count, users: [...names], complete: names.size === count && !!(users || (joined || left || info) && before?.complete), info: infos };
}
function list(names) {
  return Array.isArray(names) ? names : [];
}

// src/receive.ts
function receive(m, frame) {
  if (m._phase < 5 /* Opened */) return;
  heard(m);
  if (!frame?.type) return;
  const { channel: name, id } = frame;
  switch (frame.type) {
    case "welcome":
      if (m._phase === 5 /* Opened */) welcomed(m, frame);
      return;
    case "health_ping":
      return send(m, { type: "health_pong", timestamp: frame.timestamp });
    case "pong":
      return pong(m, frame.timestamp);
    case "ack":
    case "result":
      return acknowledged(m, frame);
    case "subscribed":
      return subscribed(m, frame);
    case "error":
      return refused(m, frame);
    case "bye":
      m._lastBye = frame;
      break;
    case "unsubscribed": {
      const channel = m._channels.get(name);
      m._lobbies.delete(name);
      if (channel && id === void 0) {
        channel._active = false;
        if (!m._requests.has(channel.id)) channel.id = -1 /* Refused */;
      }
      break;
    }
    case "message": {
      const place = placeOf(m, name);
      const { seq } = frame;
      if (seq >= 0 && (place?._own.has(seq) || !see(m, name, seq)) && place?.first !== void 0) return;
      break;
    }
    case "presence": {
      const place = placeOf(m, name);
      if (place) return emit(m, { type: "deliver", frame, presence: place._presence = merge(place._presence, frame) });
      break;
    }
    case "skip":
    case "gap": {
      const { from, to: to2 } = frame;
      const isSkip = frame.type === "skip";
      if (from <= to2) see(m, name, from, isSkip ? from : to2 + 1, to2);
      if (isSkip || m._channels.get(name)?._active) return;
    }
  }
  emit(m, { type: "deliver", frame });
}
function welcomed(m, frame) {
  enter(m, 6 /* Ready */, NEVER);
  m._stableAt = m._now + 5e3 /* Stable */;
  m._pingedAt = m._now;
  m._silence = frame.ping_ms > 0 ? +frame.ping_ms : 25e3 /* Silence */;
  m._maxBytes = frame.max_bytes || NEVER;
  become(m, { status: "connected", welcome: frame });
  enterChannels(m);
  flush(m, ({ frame: frame2 }) => !m._channels.has(frame2.channel));
}
function subscribed(m, frame) {
  const { channel: name, id } = frame;
  const channel = m._channels.get(name);
  if (channel?.id === id || m._requests.get(id)?._over) answered(m, id);
  if (channel && channel.id > 0 /* Unasked */ && id && channel.id !== id) return;
  emit(m, { type: "deliver", frame });
  if (!isReady(m)) return;
  const told = id === void 0;
  if (told) announce(m, name, frame);
  if (channel && (told || !channel._active)) flushChannel(m, name, activate(m, name, channel, frame));
}
function refused(m, frame) {
  const { id, code } = frame;
  const request2 = m._requests.get(id);
  if (!request2) {
    emit(m, { type: "deliver", frame });
    if (code === "rate_limited") notRead(m, m._turns, frame);
    return;
  }
  const name = request2._frame.channel;
  const channel = m._channels.get(name);
  if (channel?.id !== id) {
    if (!request2._told) refuse(m, id, code, frame);
  } else if (code === "already_subscribed") {
    if (!channel._active) {
      emit(m, { type: "entered", channel: name, presence: m._lobbies.get(name)?._presence });
      flushChannel(m, name, activate(m, name, channel));
    }
  } else {
    channel.id = -1 /* Refused */;
    emit(m, { type: "refused", channel: name, frame });
    reject(m, to(name), code);
  }
  answered(m, id);
}

// src/url.ts
function resolve(address) {
  const url = new URL(address, globalThis.location?.href);
  url.protocol = url.protocol.replace("http", "ws");
  if (!/^wss?:$/.test(url.protocol) || url.hash) throw new TypeError(`no WebSocket address: ${url.href}`);
  return url;
}
function withQuery(url, query) {
  for (const [name, value] of Object.entries(query)) {
    const pair = value && `${name}=${encodeURIComponent(value)}`;
    if (pair) url.search = url.search.replace(RegExp(`([?&])${name}=[^&]*|$`), (own2, sign) => !own2 ? (url.search && "&") + pair : name === "session" ? own2 : sign + pair);
  }
  return url.href;
}

// src/transport.ts
function createTransport(address, options, notify, warn) {
  const { webSocket = globalThis.WebSocket, protocols = [], getToken, tokenInQuery, backoff, queue = true, seed = Math.random() * 2 ** 32, maxAttempts, maxBuffered = 2 ** 20, openTimeout, requestTimeout, tokenTimeout = 15e3, debug } = options;
  const log = debug === true ? console.debug : debug || void 0;
  const m = newMachine({
    ...backoff,
    ...queue,
    seed,
    attempts: maxAttempts,
    open: openTimeout,
    request: requestTimeout,
    session: options._session ?? randomName(),
    token: !!getToken,
    queue: !!queue
  });
  let socket;
  let token;
  let deflate;
  let asking = new AbortController();
  let page;
  let timer;
  let skew = Infinity;
  let running = false;
  let behind = 0;
  return { _start: connect, _run: run, _nextId: () => m._nextId, _isFull: isFull, _setToken: setToken };
  function connect(command) {
    check(address, webSocket, protocols);
    run(command);
  }
  function run(command, ...args) {
    m._now = performance.now();
    command(m, ...args);
    const before = skew;
    skew = Date.now() - m._now;
    if (skew > before + 1e3 && command !== suspend) wake(m);
    if (running) return;
    running = true;
    for (let action; action = m._actions.shift(); ) {
      try {
        try {
          log?.(action);
        } finally {
          perform(action);
        }
      } catch (error) {
        warn(error);
      }
    }
    running = false;
    behind = 0;
    arm();
  }
  function arm() {
    clearTimeout(timer);
    const at = deadline(m);
    if (at < Infinity) timer = setTimeout(run, Math.max(0, Math.min(at - performance.now(), 2147483647 /* Timer */)), tick);
  }
  function isFull(bytes) {
    if (behind + (socket?.bufferedAmount ?? 0) > maxBuffered) return true;
    if (running) behind += bytes;
    return false;
  }
  function perform(action) {
    switch (action.type) {
      case "dial":
        return dial2(action);
      case "close": {
        const old = socket;
        if (!old) return;
        socket = void 0;
        old.onopen = old.onmessage = null;
        const end = old.terminate && setTimeout(() => old.terminate(), 2e3 /* Closing */);
        old.onclose = () => clearTimeout(end);
        return old.close(1e3, action.reason);
      }
      case "send":
        return socket?.send(toText(action.frame.type === "auth" ? { ...action.frame, token } : action.frame));
      case "get_token":
        return ask(action.reason);
      case "state": {
        const { state } = action;
        asking.abort();
        if (state.status === "stopped") page = page?.abort();
        else page ??= watch(run);
        if ("until" in state && state.until) action.state = { ...state, until: state.until + skew };
      }
    }
    notify(action);
  }
  function dial2({ session, since }) {
    let place;
    try {
      place = typeof address === "function" ? address() : address;
    } catch (error) {
      warn(error);
      return run(closed, 1006, "");
    }
    try {
      const url = resolve(place);
      const offered = ["switchboard.v1.json", ...protocols];
      if (token && !tokenInQuery) offered.push(`base64url.bearer.switchboard.${base64url(token)}`);
      socket = new webSocket(withQuery(url, { session, since, deflate, token: tokenInQuery && token }), offered);
      socket.onopen = () => run(opened);
      socket.onmessage = ({ data }) => {
        const frame = parse(data);
        if (!frame && data.at && !deflate && socket.extensions) {
          deflate = "off";
          run(startOver);
        } else run(receive, frame);
      };
      socket.onclose = ({ code, reason }) => {
        socket = void 0;
        run(closed, code, reason);
      };
      socket.onerror = () => {
      };
    } catch (error) {
      warn(error);
      run(misused);
    }
  }
  function ask(reason) {
    const { signal } = asking = new AbortController();
    const failed = (error) => {
      if (signal.aborted) return;
      asking.abort();
      warn(error);
      run(noToken);
    };
    const late = setTimeout(failed, tokenTimeout, new Error("getToken timed out"));
    signal.onabort = () => clearTimeout(late);
    Promise.resolve({ reason, signal }).then(getToken).then((answer) => {
      if (!signal.aborted) setToken(answer);
    }, failed);
  }
  function setToken(answer) {
    asking.abort();
    const { token: text = answer, expiresIn } = Object(answer);
    token = text;
    if (token) run(gotToken, expiresIn);
    else run(noToken, true);
  }
}
function check(address, webSocket, protocols) {
  if (!webSocket) throw new TypeError("no option webSocket");
  if (typeof address !== "function") resolve(address);
  for (const one of protocols) if (!/^[\w!#$%&'*+.^`|~-]+$/.test(one)) throw new TypeError(`no subprotocol: ${one}`);
}

// src/index.ts
var unnumbered = 0;
var Switchboard = class extends Emitter {
  /** The current state, with the last close and the time of the next attempt (`until`, in terms of `Date.now()`). */
  state = { status: "idle", last: null };
  #transport;
  #channels = /* @__PURE__ */ new Map();
  /** The epochs of the channels on this connection. */
  #epochs = /* @__PURE__ */ new Map();
  #waiters = /* @__PURE__ */ new Map();
  /** Throws if there is no WebSocket, or `url` or a protocol is invalid; with `autoConnect: false`, `connect()` throws instead. */
  constructor(url, options) {
    super();
    const all = given(options);
    const { signal, autoConnect = true, _transport = createTransport } = all;
    this.#transport = _transport(url, all, (notice) => this.#take(notice), (error) => this._emit("error", error));
    if (autoConnect && !signal?.aborted) this.connect();
    whenAborted(signal, () => this.close());
  }
  /** Connects, after `autoConnect: false` or after it stopped. */
  connect() {
    this.#transport._start(start);
  }
  /** Reconnects at once, in any state. */
  reconnect() {
    this.#transport._start(startOver);
  }
  /** Closes the connection and does not reconnect until `connect()`. Subscriptions are kept. */
  close() {
    this.#transport._run(stop);
  }
  /**
   * Uses this token from now on, also on the open connection, where it must name the same user. For another user: `close()`, `setToken()`, `connect()`.
   */
  setToken(token) {
    this.#transport._setToken(token);
  }
  /** Measures the round-trip time (event `rtt`) and checks that the connection is alive, if there is one. */
  ping() {
    this.#transport._run(measure);
  }
  /** Subscribes to a channel, now and on every connection, until its last use is closed. */
  subscribe(channel, options) {
    const { signal, since, last } = given(options);
    const uses = this.#channels.get(channel) ?? /* @__PURE__ */ new Set();
    let off = () => {
    };
    const subscription = new Subscription(channel, () => {
      off();
      uses.delete(subscription);
      if (uses.size) return;
      this.#channels.delete(channel);
      this.#transport._run(part, channel);
    });
    for (const { status, presence } of uses) {
      if (status === "refused") this.#each(channel, (one) => one._mark("pending"));
      else Object.assign(subscription, { status, presence });
    }
    this.#channels.set(channel, uses.add(subscription));
    this.#transport._run(join, channel, since, last);
    off = whenAborted(signal, () => subscription.close());
    return subscription;
  }
  /** Sends to a channel. The promise resolves with the message's `seq` once the server has acknowledged it; with 0 if it is volatile. */
  publish(channel, content, options) {
    return this.#post({ type: "publish", channel, content }, options);
  }
  /** Sends to all connections of a user. The promise resolves with their number. */
  direct(to2, content, options) {
    return this.#post({ type: "direct", to: to2, content }, options);
  }
  /** Calls a method of the server's application. The promise resolves with its result. */
  call(method, params = null, options) {
    return this.#post({ type: "call", method, content: params }, options);
  }
  #post(what, options) {
    const { signal, ...how } = given(options);
    let off;
    const promise = new Promise((resolve2, reject2) => {
      if (signal?.aborted) throw new SwitchboardError("aborted");
      const event = { ...how, ...what, content: encode(what.content) };
      const id = this.#transport._nextId();
      const bytes = utf8(toText({ ...event, id })).length;
      if (this.#transport._isFull(bytes)) throw new SwitchboardError("queue_full");
      this.#waiters.set(id, [resolve2, reject2]);
      this.#transport._run(post, { ...event, bytes });
      off = whenAborted(signal, () => {
        this.#transport._run(cancel, id);
        this.#settle(id)?.[1](new SwitchboardError("aborted"));
      });
    });
    promise.finally(off).catch(() => {
    });
    return promise;
  }
  #settle(id) {
    const waiter = this.#waiters.get(id);
    this.#waiters.delete(id);
    return waiter;
  }
  #take(notice) {
    switch (notice.type) {
      case "state":
        this.state = notice.state;
        this.#epochs.clear();
        for (const uses of this.#channels.values()) for (const one of uses) one._mark("pending");
        return this._emit("state", this.state);
      case "done":
        return this.#settle(notice.id)?.[0](notice.value);
      case "failed":
        return this.#settle(notice.id)?.[1](new SwitchboardError(notice.code, notice.frame));
      case "rtt":
        return this._emit(notice.type, notice.ms);
      case "deliver":
        return this.#deliver(notice.frame, notice.presence);
      case "entered":
        return this.#each(notice.channel, (one) => one._mark("active", notice.presence));
    }
    this.#each(notice.channel, (one) => {
      if (notice.type === "refused") one._mark("refused");
      one._emit(notice.type, notice);
    });
  }
  #deliver(frame, presence) {
    const { type, channel, id } = frame;
    if (type === "subscribed") this.#epochs.set(channel, frame.epoch);
    if (type === "message") frame.id = `${frame.epoch = this.#epochs.get(channel)}.${frame.seq ?? (unnumbered -= 1)}`;
    this.#each(channel, (one) => {
      if (type === "subscribed") one._mark("active");
      if (type === "unsubscribed" && id === void 0) one._mark("refused");
      if (presence && one.status === "active") one.presence = presence;
      if (/^(message|presence|subscribed)$/.test(type)) one._emit(type, frame);
    });
    if (type === "direct" || type === "error") this._emit(type, frame);
    this._emit("frame", frame);
  }
  #each(channel, what) {
    this.#channels.get(channel)?.forEach(what);
  }
};
function whenAborted(signal, what) {
  if (signal?.aborted) what();
  signal?.addEventListener("abort", what);
  return () => signal?.removeEventListener("abort", what);
}

// src/room.ts
var Room = class {
  tabs = /* @__PURE__ */ new Set();
  /** Those that came while the channel was not active: the recovery that comes next is not theirs. */
  late = /* @__PURE__ */ new Set();
  isActive = false;
  presence;
  /** The latest `subscribed`. */
  #subscribed;
  /** The last number, and the one above which all messages are kept. */
  #seq = NaN;
  #from = NaN;
  #recent = [];
  /** Remembers what comes from the server. */
  take(frame, presence) {
    switch (frame.type) {
      case "subscribed": {
        const isSame = this.#subscribed?.epoch === frame.epoch && frame.recovered === true;
        this.#subscribed = frame;
        this.isActive = true;
        if (isSame) break;
        this.#recent = [];
        this.#from = frame.seq;
        this.#seq = frame.seq;
        break;
      }
      case "presence":
        this.presence = presence;
        break;
      case "message":
        this.keep(frame);
    }
  }
  /** Keeps a message. */
  keep(frame) {
    const { seq } = frame;
    if (!(seq >= 0)) return;
    if (!this.#recent.length && seq <= this.#from) this.#from = seq - 1;
    this.#seq = Math.max(this.#seq, seq);
    this.#recent.push(frame);
    if (this.#recent.length > 256 /* Recent */) this.#from = this.#recent.shift().seq;
  }
  /** Some numbers were lost. */
  lose(to2) {
    this.#recent = [];
    this.#from = this.#seq = Math.max(this.#seq, to2);
  }
  /** The channel was left, or the connection is gone. */
  end() {
    this.isActive = false;
    this.presence = void 0;
  }
  /** Returns what brings a tab up to date that comes to an active channel. */
  *catchUp({ channel, since, last }) {
    if (!this.#subscribed) {
      yield { type: "entered", channel, presence: this.presence };
      return;
    }
    const { epoch, first, keep } = this.#subscribed;
    const after = since?.epoch === epoch ? since.seq : NaN;
    const isKnown = after >= this.#from && after <= this.#seq;
    yield { type: "deliver", frame: { type: "subscribed", channel, epoch, seq: this.#seq, first, keep, recovered: since && isKnown } };
    if (since && since.epoch !== epoch) yield { type: "epoch", channel, from: since.epoch, to: epoch };
    if (!isKnown && after < this.#seq && keep !== "latest") yield { type: "gap", channel, from: after + 1, to: this.#seq, away: true };
    const { presence } = this;
    if (presence) yield { type: "deliver", frame: { type: "presence", channel, count: presence.count, users: presence.users, info: presence.info }, presence };
    const missed = isKnown ? this.#recent.filter(({ seq }) => seq > after) : since || !last ? [] : this.#recent.slice(-last);
    for (const frame of missed) yield { type: "deliver", frame };
  }
};

// src/leader.ts
function createLeader(address, options, send2, warn) {
  const inner = createTransport(address, options, take2, warn);
  const rooms = /* @__PURE__ */ new Map();
  const owners = /* @__PURE__ */ new Map();
  let state;
  let isEnding = false;
  const uses = /* @__PURE__ */ new Map();
  let wishes = [];
  let isWanted = false;
  return { take: handle, begin, end };
  function begin() {
    if (!wishes || isEnding) return;
    const all = wishes;
    wishes = void 0;
    for (const use of uses.values()) enter2(use);
    if (isWanted) run(start);
    for (const [tab, wish] of all) handle(tab, wish);
  }
  function end() {
    isEnding = true;
    inner._run(stop);
  }
  function run(command) {
    try {
      inner._start(command);
    } catch (error) {
      warn(error);
    }
  }
  function handle(tab, wish) {
    if (wishes) {
      if (wish.type !== "hello") {
        wishes.push([tab, wish]);
        return;
      }
      isWanted ||= wish.isWanted;
      for (const use of wish.uses) gather(tab, use);
      return;
    }
    switch (wish.type) {
      case "hello":
        if (state) notify(tab, state);
        if (wish.isWanted) run(start);
        for (const use of wish.uses) subscribe2(tab, use);
        return;
      case "subscribe":
        return subscribe2(tab, wish.use);
      case "unsubscribe":
        return unsubscribe2(tab, wish.channel);
      case "post":
        return request2(tab, wish.id, wish.event);
      case "cancel":
        for (const [id, owner] of owners) if (owner.tab === tab && owner.id === wish.id) inner._run(cancel, id);
        return;
      case "token":
        return inner._setToken(wish.token);
      case "start":
        return run(start);
      case "reconnect":
        return run(startOver);
      case "ping":
        return inner._run(measure);
      case "leave":
        for (const channel of rooms.keys()) unsubscribe2(tab, channel);
    }
  }
  function gather(tab, use) {
    const { channel, since } = use;
    roomOf(channel).tabs.add(tab);
    const known = uses.get(channel)?.since;
    if (!known || since?.epoch === known.epoch && since.seq < known.seq) uses.set(channel, use);
  }
  function subscribe2(tab, use) {
    const room = roomOf(use.channel);
    if (room.tabs.size && !room.tabs.has(tab)) {
      if (!room.isActive) room.late.add(tab);
      else for (const notice of room.catchUp(use)) notify(tab, notice);
    }
    room.tabs.add(tab);
    enter2(use);
  }
  function enter2({ channel, since, last }) {
    inner._run(join, channel, since, last);
  }
  function unsubscribe2(tab, channel) {
    const room = rooms.get(channel);
    if (!room?.tabs.delete(tab) || room.tabs.size) return;
    rooms.delete(channel);
    inner._run(part, channel);
  }
  function request2(tab, id, event) {
    if (inner._isFull(event.bytes)) return notify(tab, { type: "failed", id, code: "queue_full", frame: void 0 });
    owners.set(inner._nextId(), { tab, id, event });
    inner._run(post, event);
  }
  function take2(notice) {
    switch (notice.type) {
      case "done":
      case "failed":
        return answer(notice);
      case "state":
        state = notice;
        for (const [channel, room] of rooms) {
          room.end();
          if (!room.tabs.size) rooms.delete(channel);
        }
        if (!isEnding) notify("all", notice);
        return;
      case "deliver":
        return deliver(notice);
      case "gap":
        roomOf(notice.channel).lose(notice.to);
        break;
      case "entered": {
        const room = roomOf(notice.channel);
        room.isActive = true;
        for (const tab of room.tabs) for (const one of room.catchUp(notice)) notify(tab, one);
        return;
      }
    }
    notify("all", notice);
  }
  function answer(notice) {
    const owner = owners.get(notice.id);
    owners.delete(notice.id);
    if (!owner) return;
    const { tab, id, event } = owner;
    if (isEnding && notice.type === "failed" && notice.code === "stopped") return send2(tab, { type: "again", id });
    notify(tab, { ...notice, id });
    if (notice.type === "done" && event.type === "publish" && !event.echo) reflect(tab, event, notice.value);
  }
  function reflect(tab, { channel, content, key }, seq) {
    const room = rooms.get(channel);
    if (!room) return;
    const user = state?.state.status === "connected" ? state.state.welcome.user : void 0;
    const frame = { type: "message", channel, content: JSON.parse(content), sender: user, seq: seq || void 0, key };
    room.keep(frame);
    for (const other of room.tabs) if (other !== tab) send2(other, { type: "notice", notice: { type: "deliver", frame }, isOwn: true });
  }
  function deliver(notice) {
    const { frame, presence } = notice;
    const { type, channel, id } = frame;
    if (typeof channel !== "string") return notify("all", notice);
    const room = type === "subscribed" ? roomOf(channel) : rooms.get(channel);
    room?.take(frame, presence);
    if (type === "unsubscribed" && id === void 0) room?.end();
    const late = type === "subscribed" ? room.late : /* @__PURE__ */ new Set();
    for (const tab of room?.tabs ?? []) notify(tab, late.has(tab) ? { ...notice, frame: { ...frame, recovered: frame.recovered === void 0 ? void 0 : false } } : notice);
    late.clear();
  }
  function roomOf(channel) {
    const room = rooms.get(channel) ?? new Room();
    rooms.set(channel, room);
    return room;
  }
  function notify(to2, notice) {
    send2(to2, { type: "notice", notice });
  }
}

// src/tab.ts
function createTab(name, address, options, notify, warn) {
  const tab = randomName();
  const seen = /* @__PURE__ */ new Map();
  const pending = /* @__PURE__ */ new Map();
  let nextId = 1;
  let session = randomName();
  let token;
  let isUntold = false;
  let isStopped = false;
  let isIdle = true;
  let key = "";
  let letters;
  let locks = new AbortController();
  let leader = "";
  let leading;
  return { _start: connect, _run: run, _nextId: () => nextId, _isFull: () => false, _setToken: setToken };
  function connect(command) {
    check(address, options.webSocket ?? globalThis.WebSocket, options.protocols ?? []);
    isStopped = isIdle = false;
    if (letters) return tell({ type: command === start ? "start" : "reconnect" });
    notify({ type: "state", state: { status: "connecting", last: null } });
    enter2();
  }
  function run(command, ...args) {
    switch (command) {
      case join:
        return subscribe2(...args);
      case part:
        return unsubscribe2(args[0]);
      case post:
        return request2(args[0]);
      case cancel:
        return giveUp2(args[0]);
      case measure:
        return tell({ type: "ping" });
      case stop:
        if (letters || !(isIdle || isStopped)) leave2("asked");
    }
  }
  function setToken(next) {
    token = next;
    isUntold = !leader;
    tell({ type: "token", token: next });
  }
  function subscribe2(channel, since, last) {
    const use = seen.get(channel) ?? { channel, since, last };
    seen.set(channel, use);
    tell({ type: "subscribe", use: wanted(use) });
  }
  function unsubscribe2(channel) {
    seen.delete(channel);
    tell({ type: "unsubscribe", channel });
  }
  function request2(event) {
    const id = nextId++;
    pending.set(id, { event, isHanded: false });
    if (isStopped) fail2(id, "stopped");
    else if (leader) hand(id);
    else if (event.queue === false || event.type === "publish" && event.volatile) fail2(id, "not_connected");
  }
  function hand(id) {
    const one = pending.get(id);
    if (one.isHanded) return;
    one.isHanded = true;
    tell({ type: "post", id, event: one.event });
  }
  function giveUp2(id) {
    if (pending.get(id)?.isHanded) tell({ type: "cancel", id });
    else fail2(id, "aborted");
  }
  function fail2(id, code) {
    if (pending.delete(id)) notify({ type: "failed", id, code, frame: void 0 });
  }
  function wanted({ channel, since, last, place }) {
    if (!place) return { channel, since, last };
    const { epoch, seq } = place;
    return { channel, since: epoch && seq >= 0 ? { epoch, seq } : void 0 };
  }
  function enter2() {
    const { signal } = locks = new AbortController();
    key = name();
    letters = new BroadcastChannel(key);
    letters.onmessage = ({ data }) => read(data);
    hold2(lockOf(tab), signal, () => write("leader", { wish: { type: "who" } }));
    free(navigator.locks.request(key, { ifAvailable: true }, (lock) => {
      if (signal.aborted) return;
      if (!lock) return hold2(key, signal, () => lead(100 /* Gather */));
      lead(0);
      return until(signal);
    }));
    globalThis.addEventListener?.("pagehide", putAway, { signal });
  }
  function leave2(why) {
    tell({ type: "leave" });
    leading?.end();
    letters?.close();
    locks.abort();
    letters = leading = void 0;
    leader = "";
    isStopped = why === "asked";
    abandon();
    if (isStopped) for (const id of [...pending.keys()]) fail2(id, "stopped");
    notify({ type: "state", state: isStopped ? { status: "stopped", why: "asked", last: null } : { status: "waiting", why: "suspended", until: null, last: null } });
  }
  function putAway({ persisted }) {
    leave2("suspended");
    if (persisted) globalThis.addEventListener("pageshow", () => {
      if (!isStopped && !letters) enter2();
    }, { once: true });
  }
  function abandon() {
    for (const [id, { isHanded }] of pending) if (isHanded) fail2(id, "unconfirmed");
  }
  function lockOf(one) {
    return `${key} ${one}`;
  }
  function hold2(lock, signal, then) {
    free(navigator.locks.request(lock, { signal }, () => {
      then();
      return until(signal);
    }));
  }
  function lead(gather) {
    const { take: take3, begin, end } = createLeader(address, { ...options, _session: session }, send2, warn);
    const watched = /* @__PURE__ */ new Set();
    leading = {
      begin,
      end,
      take: (from, wish) => {
        take3(from, wish);
        if (from === tab || watched.has(from)) return;
        watched.add(from);
        free(navigator.locks.request(lockOf(from), { signal: locks.signal }, () => {
          watched.delete(from);
          take3(from, { type: "leave" });
        }));
      }
    };
    if (token !== void 0) take3(tab, { type: "token", token });
    send2("all", { type: "lead", session });
    if (gather) setTimeout(begin, gather);
    else begin();
  }
  function send2(to2, news) {
    if (to2 !== tab) write(to2, { news });
    if (to2 === tab || to2 === "all") hear(tab, news);
  }
  function write(to2, content) {
    letters?.postMessage({ from: tab, to: to2, ...content });
  }
  function read({ from, to: to2, wish, news }) {
    if (wish && leading) {
      if (wish.type === "who") send2(from, { type: "lead", session });
      else leading.take(from, wish);
    }
    if (news && (to2 === tab || to2 === "all")) hear(from, news);
  }
  function tell(wish) {
    if (leading) leading.take(tab, wish);
    else if (leader) write("leader", { wish });
  }
  function hear(from, news) {
    switch (news.type) {
      case "lead":
        return follow(from, news.session);
      case "again": {
        const one = pending.get(news.id);
        if (one) one.isHanded = false;
        return;
      }
      case "notice":
        take2(news.notice, !!news.isOwn);
    }
  }
  function follow(next, its) {
    if (leader === next) return;
    leader = next;
    session = its;
    abandon();
    if (isUntold) tell({ type: "token", token });
    isUntold = false;
    tell({ type: "hello", uses: [...seen.values()].map(wanted), isWanted: !isStopped });
    for (const id of pending.keys()) hand(id);
  }
  function take2(notice, isOwn) {
    switch (notice.type) {
      case "done":
      case "failed":
        return answer(notice);
      case "state":
        isStopped = notice.state.status === "stopped";
        break;
      case "deliver": {
        const { frame, presence } = notice;
        const use = seen.get(frame.channel);
        if (frame.channel !== void 0 && !(use && isNews(use, frame, isOwn))) return;
        notice = { type: "deliver", frame, presence: presence && plain(presence) };
        break;
      }
      case "gap": {
        const clipped = clip(notice);
        if (!clipped) return;
        notice = clipped;
        break;
      }
      case "entered":
        notice = { ...notice, presence: notice.presence && plain(notice.presence) };
    }
    if ("channel" in notice && !seen.has(notice.channel)) return;
    notify(notice);
  }
  function answer(notice) {
    const event = pending.get(notice.id)?.event;
    if (!pending.delete(notice.id)) return;
    const place = event?.type === "publish" && !event.echo ? seen.get(event.channel)?.place : void 0;
    if (place && notice.type === "done" && notice.value) own(place, notice.value, ignore);
    notify(notice);
  }
  function isNews(use, { type, seq, epoch, first, keep, recovered }, isOwn) {
    const { place } = use;
    if (type === "subscribed") {
      use.before = place?.epoch === epoch ? place.seq : void 0;
      if (place?.epoch === epoch && recovered === true) place.first = first;
      else use.place = { epoch, seq, first, keep, _own: /* @__PURE__ */ new Set(), _fresh: first !== void 0 };
      return true;
    }
    if (type !== "message" || !place || !(seq >= 0)) return true;
    if (isOwn) {
      own(place, seq, ignore);
      return true;
    }
    const isNew = !place._own.has(seq) && advance(place, seq, seq, seq, ignore);
    return isNew || place.first === void 0;
  }
  function clip(gap) {
    const { place, before } = seen.get(gap.channel) ?? {};
    const reached = gap.away ? before : place?.seq;
    const from = Math.max(gap.from, (reached ?? -1) + 1);
    if (place && !gap.away) advance(place, from, gap.to + 1, gap.to, ignore);
    return from <= gap.to ? { ...gap, from } : void 0;
  }
}
function plain(presence) {
  return { ...presence, info: { __proto__: null, ...presence.info } };
}
function ignore() {
}
function until(signal) {
  return new Promise((resolve2) => {
    signal.addEventListener("abort", () => resolve2());
  });
}
function free(lock) {
  lock.catch(() => {
  });
}

// src/shared.ts
var Switchboard2 = class extends Switchboard {
  constructor(url, all) {
    const { shared, ...options } = all ?? {};
    super(url, shared && isPossible() ? { ...options, _transport: sharedBy(shared) } : options);
  }
};
function sharedBy(shared) {
  return (address, options, notify, warn) => {
    const name = () => `switchboard 1 ${JSON.stringify([typeof address === "function" ? "" : resolve(address).href, shared])}`;
    return createTab(name, address, options, notify, warn);
  };
}
function isPossible() {
  return !!globalThis.navigator?.locks && !!globalThis.BroadcastChannel;
}
export {
  Subscription,
  Switchboard2 as Switchboard,
  SwitchboardError,
  decide
};
