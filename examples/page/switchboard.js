// Made from client-ts/src by client-ts/scripts/bundle.mjs. Do not edit.

// src/emitter.ts
var Emitter = class {
  #listeners = /* @__PURE__ */ new Map();
  /** Calls `listener` for each event of this type until the returned function is called. */
  on(type, listener) {
    const all = this.#listeners.get(type) ?? /* @__PURE__ */ new Set();
    this.#listeners.set(type, all.add(listener));
    return () => void all.delete(listener);
  }
  /** @internal */
  emit(type, value) {
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

// src/delay.ts
function createDelays(seed, factor) {
  return (tries, first, most) => {
    let ceiling = Math.min(first, most);
    for (let i = 0; i < tries && ceiling < most; i += 1) ceiling = Math.min(most, Math.floor(ceiling * factor));
    return Math.floor((random() >>> 11) * (ceiling + 1) / 2 ** 21);
  };
  function random() {
    let z = seed = seed + 2654435769 >>> 0;
    z = Math.imul(z ^ z >>> 16, 569420461);
    z = Math.imul(z ^ z >>> 15, 1935289751);
    return z ^ z >>> 15;
  }
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

// src/place.ts
var OWN = 1024;
function position(place) {
  return place?.epoch && place.seq >= 0 && place.first !== void 0 ? { epoch: place.epoch, seq: place.seq } : void 0;
}
function advance(place, start, from, to, lost) {
  if (place.fresh && start <= place.seq) place.seq = start - 1;
  place.fresh = false;
  let { seq } = place;
  if (!(to > seq)) return false;
  if (place.keep !== "latest") {
    for (const one of [...place.own, from].sort((a, b) => a - b)) {
      if (one > from) break;
      if (one > seq + 1) lost(seq + 1, one - 1);
      seq = Math.max(seq, one);
    }
  }
  place.seq = to;
  absorb(place);
  return true;
}
function own(place, seq, lost) {
  if (seq > place.seq && Number.isSafeInteger(seq)) place.own.add(seq);
  if (place.own.size > OWN) {
    const oldest = Math.min(...place.own);
    advance(place, oldest, oldest, oldest, lost);
  }
  absorb(place);
}
function absorb(place) {
  while (place.own.has(place.seq + 1)) place.seq += 1;
  if (!place.fresh) {
    for (const one of place.own) if (one <= place.seq) place.own.delete(one);
  }
}

// src/verdict.ts
function decide(code, reason) {
  if (code === 1e3) return reason === "replaced" ? "stop" : "backoff";
  if (code === 4001) return "token";
  if (code === 4002) return reason === "lobby_full" ? "stop" : "full";
  if (code === 4201) return "jitter";
  if (code === 4202) return "expired";
  const stop = [1002, 1003, 1007, 1008, 1009, 4003, 4004, 4005];
  return stop.includes(code) || [6, 7, 9].includes(Math.floor(code / 500)) ? "stop" : "backoff";
}

// src/machine.ts
var LATE = 1024;
var LOBBIES = 1024;
var AGAIN_BYTES = 25;
var PHASES = ["dialing", "opened", "welcomed"];
var NEVER = Infinity;
function createMachine(options = {}) {
  const config = { ...DEFAULTS, ...options };
  const draw = createDelays(config.seed, config.factor);
  let actions = [];
  let time = 0;
  let phase = 0 /* Idle */;
  let endsAt = NEVER;
  let waitsFor = "backoff";
  let lastClose = null;
  let lastBye = null;
  let isOnline = true;
  let attempts = 0;
  let tries = 0;
  let stableAt = NEVER;
  let wanted = "connect";
  let tokenRefused = false;
  let pingMs = 0;
  let heardAt = 0;
  let pingedAt = 0;
  let probeUntil = NEVER;
  let overslept = false;
  let nextId = 1;
  let maxBytes = NEVER;
  const channels = /* @__PURE__ */ new Map();
  const lobbies = /* @__PURE__ */ new Map();
  let home;
  let homePlace;
  let announced = false;
  const requests = /* @__PURE__ */ new Map();
  let turns = 0;
  let grace = 0;
  let held = [];
  let flight = [];
  let againAt = NEVER;
  return {
    handle,
    nextId: () => nextId,
    deadline: () => Math.min(endsAt, stableAt, silenceAt(), answerBy(), againAt, (held[0]?.at ?? NEVER) + config.age)
  };
  function handle(now, event) {
    time = now;
    actions = [];
    switch (event.type) {
      case "start":
        if (isOff()) startOver();
        break;
      case "stop":
        wanted ??= "connect";
        if (isOff()) break;
        leave("");
        halt("asked");
        break;
      case "reconnect":
        startOver();
        break;
      case "token":
        if (phase === 3 /* Token */) {
          wanted = null;
          dial();
        }
        break;
      case "token_failed":
        if (phase === 3 /* Token */) {
          if (event.final) halt("token");
          else comeBackLater("backoff");
        }
        break;
      case "opened":
        if (phase === 4 /* Dialing */) {
          phase = 5 /* Opened */;
          endsAt = time + 1e4 /* Welcome */;
        }
        break;
      case "misused":
        if (phase === 4 /* Dialing */) halt("misuse");
        break;
      case "closed":
        if (hasSocket()) ended(event.code, event.reason, false);
        break;
      case "message":
        if (phase >= 5 /* Opened */) receive(event.frame);
        break;
      case "tick":
        tick();
        break;
      case "online":
        isOnline = true;
        wake();
        break;
      case "offline":
        isOnline = false;
        if (mayHurry()) waitUntil(Math.max(endsAt, time + 2e4 /* Offline */), "offline");
        else checkAlive();
        break;
      case "suspend":
        if (isOff() || phase === 2 /* Waiting */) break;
        leave("bfcache");
        waitUntil(NEVER, "suspended");
        break;
      case "visible":
      case "resume":
        wake();
        break;
      case "ping":
        if (phase === 6 /* Ready */) ping(1e4 /* Pong */);
        break;
      case "subscribe": {
        const { channel, since, last } = event;
        const known = channels.get(channel);
        const from = since ?? (channel === home && !lobbies.has(channel) && position(homePlace));
        if (!known) channels.set(channel, { ...nowhere(), ...from && { ...from, first: 0 }, id: 0 /* Unasked */, active: false, last });
        else if (known.id === -1 /* Refused */) known.id = 0 /* Unasked */;
        if (phase === 6 /* Ready */) enterChannels();
        break;
      }
      case "unsubscribe": {
        const { channel } = event;
        const known = channels.get(channel);
        if (channel === home) homePlace = void 0;
        const isIn = lobbies.delete(channel) || known?.active || (known?.id ?? 0) > 0 /* Unasked */;
        channels.delete(channel);
        if (known) requests.delete(known.id);
        reject(to(channel), "unsubscribed");
        if (phase === 6 /* Ready */ && isIn) send({ type: "unsubscribe", channel, id: nextId++ });
        break;
      }
      case "publish":
        post({ type: "message", channel: event.channel, content: event.content, echo: event.echo }, event);
        break;
      case "direct":
        post({ type: "direct", to: event.to, content: event.content }, event);
        break;
      case "cancel":
        reject((item) => item.id === event.id, "aborted");
    }
    return actions;
  }
  function forgive() {
    attempts = tries = 0;
    tokenRefused = false;
  }
  function attempt() {
    attempts += 1;
    enter(3 /* Token */, NEVER);
    become({ status: "connecting", last: lastClose });
    if (config.token && wanted) emit({ type: "get_token", reason: wanted });
    else dial();
  }
  function dial() {
    lastBye = null;
    announced = false;
    enter(4 /* Dialing */, time + config.open);
    const since = position(channels.get(home) ?? homePlace);
    emit({ type: "dial", session: config.session || void 0, since: since && `${since.epoch}.${since.seq}` });
  }
  function startOver() {
    const open = phase >= 5 /* Opened */;
    leave("");
    forgive();
    if (open) waitUntil(time + 100 /* Pause */, "asked");
    else attempt();
  }
  function ended(code, reason, silent) {
    const bye = lastBye;
    if (bye && (code === 1005 || code === 1006)) ({ code, reason } = bye);
    const wasReady = phase === 6 /* Ready */;
    lastClose = { code, reason, phase: PHASES[phase - 4 /* Dialing */], silent };
    forget();
    const verdict = silent && wasReady ? "jitter" : decide(code, reason);
    let stop = verdict === "stop";
    if (verdict === "token") {
      stop = !config.token || tokenRefused;
      tokenRefused = true;
      wanted = "unauthorized";
    }
    if (verdict === "expired") wanted = verdict;
    if (stop) halt("code");
    else comeBackLater(verdict, bye?.reconnect_in_ms);
  }
  function comeBackLater(verdict, told) {
    if (config.attempts && attempts >= config.attempts) return halt("attempts");
    let why = "backoff";
    let delay;
    if (told >= 0) {
      why = "told";
      delay = told;
    } else if (verdict === "full") {
      why = verdict;
      delay = 5e3 /* Full */ + draw(tries, 5e3 /* Full */, Math.max(0, config.max - 5e3 /* Full */));
    } else if (verdict === why || tries) delay = draw(tries, config.min, config.max);
    else {
      why = "jitter";
      delay = draw(0, 1e3 /* Jitter */, 1e3 /* Jitter */);
    }
    tries += 1;
    if (!isOnline && !stands(why)) {
      why = "offline";
      delay = Math.max(delay, 2e4 /* Offline */);
    }
    waitUntil(time + delay, why);
  }
  function waitUntil(until, why) {
    enter(2 /* Waiting */, until);
    waitsFor = why;
    become({ status: "waiting", until: until === NEVER ? null : until, why, last: lastClose });
  }
  function halt(why) {
    enter(1 /* Stopped */, NEVER);
    reject(() => true, "stopped");
    become({ status: "stopped", why, last: lastClose });
  }
  function enter(next, until) {
    phase = next;
    endsAt = until;
  }
  function isOff() {
    return phase <= 1 /* Stopped */;
  }
  function hasSocket() {
    return phase >= 4 /* Dialing */;
  }
  function leave(reason) {
    if (!hasSocket()) return;
    emit({ type: "close", reason });
    forget();
  }
  function forget() {
    stableAt = probeUntil = againAt = NEVER;
    overslept = false;
    const kept = flight.filter(({ frame }) => channels.has(frame.channel));
    flight = [];
    for (const [id, request2] of requests) if (!request2.told && !asking(id, request2) && !kept.some((item) => item.id === id)) fail(id, "unconfirmed");
    for (const channel of channels.values()) {
      channel.active = false;
      channel.id = 0 /* Unasked */;
    }
    requests.clear();
    lobbies.clear();
    reject((item) => !item.queue, "not_connected");
    kept.forEach(hold);
  }
  function mayHurry() {
    return phase === 2 /* Waiting */ && !stands(waitsFor);
  }
  function wake() {
    if (mayHurry()) attempt();
    else checkAlive();
  }
  function checkAlive() {
    if (phase === 6 /* Ready */) ping(3e3 /* Probe */);
  }
  function tick() {
    const now = time;
    if (endsAt <= now) {
      if (phase === 2 /* Waiting */) attempt();
      else giveUp();
    }
    if (stableAt <= now) {
      stableAt = NEVER;
      forgive();
    }
    if (silenceAt() <= now) {
      if (probeUntil === NEVER) ping(1e4 /* Pong */);
      else if (now - probeUntil > 2e3 /* Stall */ && !overslept) {
        overslept = true;
        ping(3e3 /* Probe */);
      } else giveUp();
    }
    if (againAt <= now) {
      againAt = NEVER;
      enterChannels();
    }
    reject((item) => item.at + config.age <= now, "expired");
    for (const [id, request2] of requests) {
      const by = answerBy();
      if (by > now) break;
      if (now - by > 2e3 /* Stall */) {
        grace = now + 3e3 /* Probe */;
        break;
      }
      if (request2.told) continue;
      request2.told = true;
      if (asking(id, request2)) emit({ type: "unanswered", channel: request2.channel });
      else fail(id, "timeout");
    }
    forgetLate();
  }
  function answerBy() {
    for (const { told, sent } of requests.values()) if (!told) return Math.max(sent + config.request, grace);
    return NEVER;
  }
  function forgetLate() {
    let left = -LATE;
    for (const { told } of requests.values()) left += +told;
    for (const [id, request2] of requests) if (left > 0 && request2.told && !asking(id, request2)) {
      requests.delete(id);
      left -= 1;
    }
  }
  function giveUp() {
    emit({ type: "close", reason: "" });
    ended(1006, "", true);
  }
  function silenceAt() {
    if (phase !== 6 /* Ready */) return NEVER;
    return probeUntil === NEVER ? heardAt + pingMs : probeUntil;
  }
  function ping(within) {
    pingedAt = time;
    probeUntil = Math.min(time + within, probeUntil > time ? probeUntil : NEVER);
    send({ type: "ping", timestamp: Math.floor(time) });
  }
  function receive(frame) {
    heardAt = time;
    probeUntil = NEVER;
    overslept = false;
    if (!frame?.type) return;
    switch (frame.type) {
      case "welcome":
        if (phase === 5 /* Opened */) welcomed(frame);
        return;
      case "health_ping":
        return send({ type: "health_pong", timestamp: frame.timestamp });
      case "pong":
        if (frame.timestamp === Math.floor(pingedAt)) emit({ type: "rtt", ms: time - pingedAt });
        return;
      case "ack": {
        const { id, seq, delivered } = frame;
        const request2 = requests.get(id);
        if (!request2 || asking(id, request2)) return;
        if (!request2.told) settle({ type: "done", id, value: seq ?? delivered });
        answered(id);
        const place = placeOf(request2.channel);
        if (place?.first === void 0) see(request2.channel, seq);
        else if (!request2.echo) own(place, seq, lost(request2.channel));
        return;
      }
      case "subscribed":
        return subscribed(frame);
      case "error":
        return refusedRequest(frame);
      case "bye":
        lastBye = frame;
        break;
      case "unsubscribed": {
        const channel = channels.get(frame.channel);
        lobbies.delete(frame.channel);
        if (channel && frame.id === void 0) {
          channel.active = false;
          if (!requests.has(channel.id)) channel.id = -1 /* Refused */;
        }
        break;
      }
      case "message": {
        const place = placeOf(frame.channel);
        const isNew = !place?.own.has(frame.seq) && see(frame.channel, frame.seq);
        if (!isNew && place?.first !== void 0 && frame.seq >= 0) return;
        break;
      }
      case "skip":
      case "gap": {
        const { type, channel, from, to: to2 } = frame;
        if (!(from <= to2)) return;
        see(channel, from, type === "gap" ? to2 + 1 : from, to2);
        if (type === "skip" || channels.get(channel)?.active) return;
      }
    }
    emit({ type: "deliver", frame });
  }
  function welcomed(frame) {
    enter(6 /* Ready */, NEVER);
    stableAt = time + 5e3 /* Stable */;
    pingedAt = time;
    pingMs = frame.ping_ms || 25e3 /* Silence */;
    maxBytes = frame.max_bytes || NEVER;
    become({ status: "connected", welcome: frame, last: lastClose });
    enterChannels();
    flush(({ frame: frame2 }) => !channels.has(frame2.channel));
  }
  function refusedRequest(frame) {
    const { id, code } = frame;
    const request2 = requests.get(id);
    if (!request2) {
      emit({ type: "deliver", frame });
      if (code === "rate_limited") notRead(turns, frame);
      return;
    }
    const name = request2.channel;
    const channel = channels.get(name);
    if (channel?.id !== id) {
      if (!request2.told) refuse(id, request2, code, frame);
    } else if (code === "already_subscribed") {
      if (!channel.active) {
        emit({ type: "entered", channel: name });
        enterAt(name, channel, lobbies.get(name) ?? nowhere());
      }
    } else {
      channel.id = -1 /* Refused */;
      emit({ type: "refused", channel: name, frame });
      reject(to(name), code);
    }
    answered(id);
  }
  function answered(id) {
    const over = requests.get(id)?.over;
    requests.delete(id);
    if (over) notRead(over);
  }
  function notRead(before, frame) {
    for (const [id, request2] of requests) if (!request2.over && request2.turn < before) {
      const { told } = request2;
      request2.told = true;
      request2.over = before;
      if (asking(id, request2)) {
        channels.get(request2.channel).id = 0 /* Unasked */;
        againAt = time + (frame?.retry_after_ms || 1e3 /* Again */);
      } else if (!told) refuse(id, request2, "rate_limited", frame);
      return forgetLate();
    }
  }
  function enterChannels() {
    for (const [name, channel] of channels) {
      if (channel.id !== 0 /* Unasked */ || channel.active) continue;
      request(channel.id = nextId++, { type: "subscribe", channel: name, since: position(channel), last: channel.epoch ? void 0 : channel.last });
    }
  }
  function subscribed(frame) {
    const { channel: name, id } = frame;
    const channel = channels.get(name);
    if (channel?.id === id || requests.get(id)?.over) answered(id);
    if (channel && channel.id > 0 /* Unasked */ && id && channel.id !== id) return;
    emit({ type: "deliver", frame });
    if (phase < 6 /* Ready */) return;
    const told = id === void 0;
    if (told && !announced && !channel?.active) {
      announced = true;
      if (name !== home) homePlace = void 0;
      home = name;
    }
    if (channel) {
      if (told || !channel.active) enterAt(name, channel, frame);
    } else if (told && (lobbies.size < LOBBIES || lobbies.has(name))) {
      const place = name === home && homePlace || nowhere();
      take(name, place, frame);
      lobbies.set(name, place);
      if (name === home) homePlace = place;
    }
  }
  function enterAt(name, channel, from) {
    lobbies.delete(name);
    channel.active = true;
    const recovered = take(name, channel, from);
    reject((item) => to(name)(item) && !!item.since && !(recovered && item.since.epoch === channel.epoch), "unconfirmed");
    flush(to(name));
  }
  function take(name, place, { epoch, seq, first, keep, own: own2, recovered }) {
    const { epoch: before } = place;
    const isSame = before === epoch;
    place.first = first ?? void 0;
    place.keep = keep;
    place.fresh = false;
    if (isSame && recovered === true) return true;
    if (before && epoch) {
      if (isSame) advance(place, seq, seq + 1, seq, lost(name, true));
      else if (channels.has(name)) emit({ type: "epoch", channel: name, from: before, to: epoch });
    }
    Object.assign(place, { epoch, seq, fresh: place.first !== void 0, own: own2 instanceof Set ? own2 : /* @__PURE__ */ new Set() });
    return false;
  }
  function lost(channel, away = false) {
    return (from, to2) => {
      if (channels.get(channel)?.active) emit({ type: "gap", channel, from, to: to2, away });
    };
  }
  function nowhere() {
    return { epoch: "", seq: NaN, own: /* @__PURE__ */ new Set(), fresh: false };
  }
  function placeOf(name) {
    const channel = channels.get(name);
    return channel?.active ? channel : lobbies.get(name);
  }
  function see(name, start, from = start, to2 = start) {
    const place = placeOf(name);
    return !!place && advance(place, start, from, to2, lost(name));
  }
  function post(frame, { bytes, queue = config.queue }) {
    const id = nextId++;
    const item = { id, frame, bytes, queue, at: time };
    const channel = channels.get(frame.channel);
    if (phase === 6 /* Ready */ ? channel && !channel.active && channel.id >= 0 /* Unasked */ : queue && phase !== 1 /* Stopped */) hold(item);
    else if (phase === 6 /* Ready */) transmit(item);
    else fail(id, phase === 1 /* Stopped */ ? "stopped" : "not_connected");
  }
  function hold(item) {
    for (const one of add(held, item)) drop(one, "queue_full");
  }
  function add(items, item) {
    const { count, bytes } = config;
    if (item.bytes > bytes || !count) return [item];
    items.push(item);
    items.sort((a, b) => a.id - b.id);
    let first = items.length;
    for (let sum = 0; first && items.length - first < count && (sum += items[first - 1].bytes) <= bytes; ) first -= 1;
    return items.splice(0, first);
  }
  function flush(which) {
    for (const item of takeHeld(which)) transmit(item);
  }
  function reject(which, code) {
    for (const item of takeHeld(which)) drop(item, code);
  }
  function drop({ id, since }, code) {
    fail(id, since ? "unconfirmed" : code);
  }
  function to(name) {
    return ({ frame }) => frame.channel === name;
  }
  function takeHeld(which) {
    const taken = held.filter(which);
    held = held.filter((item) => !which(item));
    return taken;
  }
  function transmit(item) {
    const { id, frame, bytes, since } = item;
    if (bytes + (since ? AGAIN_BYTES : 0) > maxBytes) return drop(item, "too_large");
    request(id, { ...frame, again: since?.seq });
    const channel = channels.get(frame.channel);
    if (!item.queue || !channel?.active) return;
    item.since ??= position(channel);
    if (item.since) add(flight, item);
  }
  function request(id, frame) {
    requests.set(id, { channel: frame.channel, turn: turns++, sent: time, told: false, over: 0, echo: frame.echo, again: frame.again });
    send({ ...frame, id });
  }
  function asking(id, { channel }) {
    return channels.get(channel)?.id === id;
  }
  function emit(action) {
    actions.push(action);
  }
  function send(frame) {
    emit({ type: "send", frame });
  }
  function refuse(id, { again }, code, frame) {
    if (again === void 0 || code === "forbidden") fail(id, code, frame);
    else fail(id, "unconfirmed");
  }
  function fail(id, code, frame) {
    settle({ type: "failed", id, code, frame });
  }
  function settle(end) {
    flight = flight.filter(({ id }) => id !== end.id);
    emit(end);
  }
  function become(state) {
    emit({ type: "state", state });
  }
}
function stands(why) {
  return why === "told" || why === "full";
}

// src/transport.ts
var CLOSING_MS = 2e3;
var LONGEST_TIMEOUT = 2 ** 31 - 1;
function createTransport(address, options, notify, warn) {
  const { webSocket, protocols = [], getToken, tokenInQuery, backoff, queue = true, seed, maxAttempts, maxBuffered = 2 ** 20, openTimeout = 15e3, requestTimeout = 1e4, tokenTimeout = 15e3 } = options;
  const machine = createMachine({
    ...backoff,
    ...queue,
    seed: seed ?? Math.random() * 2 ** 32,
    attempts: maxAttempts ?? 0,
    open: openTimeout,
    request: requestTimeout,
    // Not in any storage, which another tab would share.
    session: base64url(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(16)))),
    token: !!getToken,
    queue: !!queue
  });
  let socket;
  let token = "";
  let asking = new AbortController();
  let page;
  let timer;
  let skew = Date.now() - performance.now();
  let running = false;
  let behind = 0;
  const actions = [];
  return { start, run, nextId: machine.nextId, buffered };
  function start(type) {
    if (!webSocket && !globalThis.WebSocket) throw new TypeError("there is no WebSocket here: hand in a constructor as the option webSocket");
    if (typeof address !== "function") resolve(address);
    for (const one of protocols) if (!/^[\w!#$%&'*+.^`|~-]+$/.test(one)) throw new TypeError(`no subprotocol: ${one}`);
    run({ type });
  }
  function run(event) {
    const now = performance.now();
    actions.push(...machine.handle(now, event));
    const before = skew;
    skew = Date.now() - now;
    if (skew > before + 1e3 && event.type !== "suspend") actions.push(...machine.handle(now, { type: "resume" }));
    if (running) return;
    running = true;
    for (let action; action = actions.shift(); ) {
      try {
        perform(action);
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
    const at = machine.deadline();
    if (at < Infinity) timer = setTimeout(run, Math.min(at - performance.now(), LONGEST_TIMEOUT), { type: "tick" });
  }
  function buffered(bytes) {
    const waits = behind + (socket?.bufferedAmount ?? 0);
    if (waits > maxBuffered) return waits;
    if (running) behind += bytes;
    return 0;
  }
  function perform(action) {
    switch (action.type) {
      case "dial":
        return dial(action);
      case "close": {
        const old = socket;
        if (!old) return;
        socket = void 0;
        old.onopen = old.onmessage = null;
        const end = old.terminate && setTimeout(() => old.terminate(), CLOSING_MS);
        old.onclose = () => clearTimeout(end);
        return old.close(1e3, action.reason);
      }
      case "send":
        return socket?.send(toText(action.frame));
      case "get_token":
        return ask(action.reason);
      case "state":
        asking.abort();
        if (action.state.status === "stopped") page = page?.abort();
        else page ??= watch();
        if (action.state.status === "waiting" && action.state.until) action.state = { ...action.state, until: action.state.until - performance.now() + Date.now() };
    }
    notify(action);
  }
  function dial({ session, since }) {
    let place;
    try {
      place = typeof address === "function" ? address() : address;
    } catch (error) {
      warn(error);
      return run({ type: "closed", code: 1006, reason: "" });
    }
    try {
      const url = resolve(place);
      const offered = ["switchboard.v1.json", ...protocols];
      const query = { session, since, token: tokenInQuery && token };
      for (const [name, value] of Object.entries(query)) if (value) url.searchParams.set(name, value);
      if (token && !tokenInQuery) offered.push(`base64url.bearer.switchboard.${base64url(token)}`);
      socket = new (webSocket ?? WebSocket)(url.href, offered);
      socket.onopen = () => run({ type: "opened" });
      socket.onmessage = ({ data }) => run({ type: "message", frame: parse(data) });
      socket.onclose = ({ code, reason }) => {
        socket = void 0;
        run({ type: "closed", code, reason });
      };
      socket.onerror = () => {
      };
    } catch (error) {
      warn(error);
      run({ type: "misused" });
    }
  }
  function ask(reason) {
    const { signal } = asking = new AbortController();
    const failed = (error) => {
      if (signal.aborted) return;
      warn(error);
      run({ type: "token_failed" });
    };
    const late = setTimeout(failed, tokenTimeout, new Error(`getToken has not answered within ${tokenTimeout} ms`));
    signal.onabort = () => clearTimeout(late);
    Promise.resolve({ reason, signal }).then(getToken).then((answer) => {
      if (signal.aborted) return;
      clearTimeout(late);
      token = answer ?? "";
      run(token ? { type: "token" } : { type: "token_failed", final: true });
    }, failed);
  }
  function watch() {
    const end = new AbortController();
    const { document, navigator } = globalThis;
    const on = (target, name, type = () => name) => target.addEventListener?.(name, (event) => run({ type: type(event) }), end);
    on(globalThis, "online");
    on(globalThis, "offline");
    on(globalThis, "pageshow", () => "resume");
    on(globalThis, "pagehide", (event) => event.persisted && "suspend");
    if (document) {
      on(document, "resume");
      on(document, "visibilitychange", () => document.visibilityState);
    }
    if (navigator?.onLine === false) run({ type: "offline" });
    return end;
  }
}
function resolve(address) {
  const url = new URL(address, globalThis.location?.href);
  url.protocol = url.protocol.replace("http", "ws");
  if (!/^wss?:$/.test(url.protocol) || url.hash) throw new TypeError(`no WebSocket address: ${url.href}`);
  return url;
}
function toText({ content, ...frame }) {
  const text = JSON.stringify(frame);
  return content === void 0 ? text : `${text.slice(0, -1)},"content":${content}}`;
}
function parse(data) {
  try {
    return JSON.parse(data);
  } catch {
    return null;
  }
}
function base64url(text) {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");
}

// src/index.ts
var BUFFERED = 1024;
var SHARED = ["message", "presence", "subscribed"];
var SwitchboardError = class extends Error {
  /**
   * @param code the server's error code, or `not_connected`, `unconfirmed` (sent, but the connection ended before the answer), `timeout` (no answer),
   *   `queue_full` (too much waits for a connection or for the network), `expired`, `too_large`, `unsubscribed`, `aborted`,
   *   `bad_content` (cannot be encoded as JSON), `stopped`, `overflow`
   * @param frame the server's `error`, if there is one
   */
  constructor(code, frame, message, cause) {
    super(message ?? frame?.message ?? code, { cause });
    this.code = code;
    this.frame = frame;
  }
  code;
  frame;
};
var Subscription = class extends Emitter {
  /** @internal */
  constructor(channel, leave) {
    super();
    this.channel = channel;
    this.#leave = leave;
  }
  channel;
  status = "pending";
  /** Presence in the channel; `null` until the server reports it, and while the channel is not active. */
  presence = null;
  #leave;
  close() {
    if (this.status === "closed") return;
    this.#leave();
    this.mark("closed");
  }
  /** @internal */
  mark(status, presence = null) {
    if (this.status === status) return;
    this.status = status;
    this.presence = presence;
    this.emit("status", status);
  }
  /** Iterates over further messages until the subscription is closed. A slow reader gets what waits, then `overflow`. */
  async *[Symbol.asyncIterator]() {
    const buffer = [];
    let wake;
    let full = false;
    const off = [
      this.on("message", (message) => {
        full ||= buffer.length >= BUFFERED;
        if (!full) buffer.push(message);
        wake?.();
      }),
      this.on("status", () => wake?.())
    ];
    try {
      for (; ; ) {
        if (buffer.length) yield buffer.shift();
        else if (full) throw new SwitchboardError("overflow");
        else if (this.status === "closed") return;
        else await new Promise((resolve2) => {
          wake = resolve2;
        });
      }
    } finally {
      off.forEach((end) => end());
    }
  }
};
var Switchboard = class extends Emitter {
  /** The current state, with the last close and the time of the next attempt (`until`, in terms of `Date.now()`). */
  state = { status: "idle", last: null };
  #start;
  #run;
  #nextId;
  #buffered;
  #channels = /* @__PURE__ */ new Map();
  #waiters = /* @__PURE__ */ new Map();
  /** Presence on this connection, by channel. */
  #presence = /* @__PURE__ */ new Map();
  /** Throws if there is no WebSocket, or `url` or a protocol is invalid; with `autoConnect: false`, `connect()` throws instead. */
  constructor(url, options = {}) {
    super();
    const { signal, autoConnect = true } = options;
    ({ start: this.#start, run: this.#run, nextId: this.#nextId, buffered: this.#buffered } = createTransport(url, options, (notice) => this.#take(notice), (error) => this.emit("error", error)));
    if (autoConnect && !signal?.aborted) this.connect();
    whenAborted(signal, () => this.close());
  }
  /** Connects, after `autoConnect: false` or after it stopped. */
  connect() {
    this.#start("start");
  }
  /** Reconnects at once, in any state. */
  reconnect() {
    this.#start("reconnect");
  }
  /** Closes the connection and does not reconnect until `connect()`. Subscriptions are kept. */
  close() {
    this.#run({ type: "stop" });
  }
  /** Measures the round-trip time (event `rtt`) and checks that the connection is alive, if there is one. */
  ping() {
    this.#run({ type: "ping" });
  }
  /** Subscribes to a channel, now and on every connection, until its last use is closed. */
  subscribe(channel, { signal, since, last } = {}) {
    const uses = this.#channels.get(channel) ?? /* @__PURE__ */ new Set();
    let off = () => {
    };
    const subscription = new Subscription(channel, () => {
      off();
      uses.delete(subscription);
      if (uses.size) return;
      this.#channels.delete(channel);
      this.#presence.delete(channel);
      this.#run({ type: "unsubscribe", channel });
    });
    for (const { status, presence } of uses) {
      if (status === "refused") this.#each(channel, (one) => one.mark("pending"));
      else Object.assign(subscription, { status, presence });
    }
    this.#channels.set(channel, uses.add(subscription));
    this.#run({ type: "subscribe", channel, since, last });
    off = whenAborted(signal, () => subscription.close());
    return subscription;
  }
  /** Sends to a channel. The promise resolves with the message's `seq` once the server has acknowledged it. */
  publish(channel, content, { signal, queue, echo } = {}) {
    return this.#post({ type: "publish", channel, content, bytes: 0, queue, echo }, signal);
  }
  /** Sends to all connections of a user. The promise resolves with their number. */
  direct(to, content, { signal, queue } = {}) {
    return this.#post({ type: "direct", to, content, bytes: 0, queue }, signal);
  }
  #post(event, signal) {
    let off;
    const promise = new Promise((resolve2, reject) => {
      if (signal?.aborted) throw new SwitchboardError("aborted");
      event.content = encode(event.content);
      const id = this.#nextId();
      event.bytes = new TextEncoder().encode(toText({ ...event, id })).length;
      const waits = this.#buffered(event.bytes);
      if (waits) throw new SwitchboardError("queue_full", void 0, `${waits} bytes wait for the network`);
      this.#waiters.set(id, [resolve2, reject]);
      this.#run(event);
      off = whenAborted(signal, () => {
        this.#run({ type: "cancel", id });
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
        this.#presence.clear();
        for (const channel2 of this.#channels.keys()) this.#each(channel2, (one) => one.mark("pending"));
        return this.emit("state", this.state);
      case "done":
        return this.#settle(notice.id)?.[0](notice.value);
      case "failed":
        return this.#settle(notice.id)?.[1](new SwitchboardError(notice.code, notice.frame));
      case "rtt":
        return this.emit("rtt", notice.ms);
      case "entered":
        return this.#each(notice.channel, (one) => one.mark("active", this.#presence.get(notice.channel)));
      case "gap":
      case "epoch":
      case "refused":
      case "unanswered":
        return this.#each(notice.channel, (one) => {
          if (notice.type === "refused") one.mark("refused");
          one.emit(notice.type, notice);
        });
    }
    const { frame } = notice;
    const { type, channel, id } = frame;
    if (type === "presence") this.#presence.set(channel, merge(this.#presence.get(channel), frame));
    if (type === "unsubscribed") this.#presence.delete(channel);
    this.#each(channel, (one) => {
      if (type === "subscribed") one.mark("active");
      if (type === "unsubscribed" && id === void 0) one.mark("refused");
      if (one.status === "active") one.presence = this.#presence.get(channel) ?? null;
      if (SHARED.includes(type)) one.emit(type, frame);
    });
    if (type === "direct" || type === "error") this.emit(type, frame);
    this.emit("frame", frame);
  }
  #each(channel, what) {
    this.#channels.get(channel)?.forEach(what);
  }
};
function merge(before, { count, users, joined, left }) {
  const names = new Set(users ?? before?.users);
  for (const name of joined ?? []) names.add(name);
  for (const name of left ?? []) names.delete(name);
  return { count, users: [...names], complete: names.size === count && !!(users || (joined || left) && before?.complete) };
}
function encode(content) {
  let text;
  let cause;
  try {
    text = JSON.stringify(content);
  } catch (error) {
    cause = error;
  }
  if (text === void 0) throw new SwitchboardError("bad_content", void 0, "content that JSON cannot say", cause);
  return text;
}
function whenAborted(signal, what) {
  if (signal?.aborted) what();
  signal?.addEventListener("abort", what);
  return () => signal?.removeEventListener("abort", what);
}
export {
  Subscription,
  Switchboard,
  SwitchboardError,
  decide
};
