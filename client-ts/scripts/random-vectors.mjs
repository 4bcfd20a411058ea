// Writes scripts of random events, with servers that keep to no rule but the types of their fields, and what the machine
// does. The Rust machine has to do the same: node scripts/random-vectors.mjs FOLDER [SEED [COUNT]], then
// SWITCHBOARD_VECTORS=FOLDER cargo test -p switchboard-core --test client_vectors.
import { mkdirSync, writeFileSync } from 'node:fs';
import { play } from '../test/vectors.js';
import { format } from './format-vectors.mjs';

const [folder, seed = '1', count = '400'] = process.argv.slice(2);
const EVENTS = 60;
const CHANNELS = ['a', 'b', 'c'];

let state = Number(seed);

/** A whole number below `end`. */
function below(end) {
  state = (state + 0x9e3779b9) >>> 0;
  let z = state;
  z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
  z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
  return ((z ^ (z >>> 15)) >>> 0) % end;
}

const one = (...all) => all[below(all.length)];
const often = (fields) => below(4) ? fields : {};
const rarely = (fields) => below(4) ? {} : fields;
const number = () => one(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 20, 2 ** 31, Number.MAX_SAFE_INTEGER - 1, Number.MAX_SAFE_INTEGER);
const requestId = () => 1 + below(20);

/** The `id` of an answer: that of a request, perhaps another one's, or one that is no client's. */
const id = () => one({}, { id: requestId() }, { id: requestId() }, { id: one('s', -1, 1.5) });

const FRAMES = [
  [1, () => ({ type: 'welcome', user: 'u', ...often({ ping_ms: one(0, 1_000, 25_000) }), ...often({ max_bytes: one(0, 50, 65_536) }) })],
  [3, (channel) => ({
    type: 'subscribed', channel, seq: number(), epoch: one('e1', 'e1', 'e2', ''), ...id(),
    ...one({}, { first: number() }), ...rarely({ recovered: one(true, false) }), ...rarely({ keep: 'latest' }),
  })],
  [4, (channel) => ({ type: 'message', channel, content: 1, ...often({ seq: number() }) })],
  [1, () => ({ type: 'ack', id: requestId(), ...one({ seq: number() }, { seq: number() }, { delivered: number() }, {}) })],
  [1, () => ({ type: 'result', id: requestId(), content: 5 })],
  [1, () => ({ type: 'error', code: one('rate_limited', 'forbidden', 'already_subscribed', 'internal', 'unrecoverable'), ...id(), ...rarely({ retry_after_ms: one(0, 5, 3_000) }) })],
  [1, (channel) => ({ type: one('skip', 'gap'), channel, from: number(), to: number() })],
  [1, (channel) => ({ type: 'presence', channel, count: below(4), ...one({ users: ['x', 'y'].slice(below(3)) }, { joined: ['z'], left: ['x'] }) })],
  [1, (channel) => ({ type: 'unsubscribed', channel, ...one({}, { id: requestId() }) })],
  [1, () => ({ type: 'bye', code: one(1001, 4201, 4001), reason: 'draining', ...one({}, { reconnect_in_ms: one(0, 300, 5_000) }) })],
  [1, (channel) => one({ type: 'health_ping', timestamp: 5 }, { type: 'pong', timestamp: number() }, { type: 'direct', content: 1 }, {}, { type: '' }, { type: 'constructor', channel })],
];

const EVENTS_OF_CLIENT = [
  [2, () => ({ type: 'opened' })],
  [2, () => ({ type: 'message', frame: { type: 'welcome', ping_ms: 25_000, max_bytes: 65_536 } })],
  [1, () => ({ type: 'closed', code: one(1006, 1006, 1001, 4201, 4202, 1012, 4001, 4100), reason: '' })],
  [1, () => ({ type: 'subscribe', channel: one(...CHANNELS), ...rarely({ since: { epoch: 'e1', seq: number() } }), ...rarely({ last: below(9) }) })],
  [1, (used) => used.size ? { type: 'unsubscribe', channel: one(...used) } : { type: 'ping' }],
  [2, () => ({ type: 'publish', channel: one(...CHANNELS), content: 1, bytes: one(10, 60, 100), ...rarely({ echo: true }), ...rarely({ queue: one(true, false) }), ...rarely({ volatile: true }) })],
  [1, () => ({ type: 'direct', to: 'u', content: 1, bytes: 10 })],
  [1, () => ({ type: 'call', method: 'm', content: 1, bytes: 10 })],
  [1, () => ({ type: 'cancel', id: requestId() })],
  [1, () => ({ type: one('offline', 'online', 'visible', 'suspend', 'resume') })],
  [1, () => ({ type: one('start', 'start', 'reconnect', 'stop') })],
  [24, () => ({ type: 'message', frame: weighted(FRAMES)(one(...CHANNELS)) })],
];

function weighted(table) {
  let rest = below(table.reduce((sum, [weight]) => sum + weight, 0));
  return table.find(([weight]) => (rest -= weight) < 0)[1];
}

function scenario(name) {
  const used = new Set(['a']);
  const script = [{ at_ms: 0, event: { type: 'subscribe', channel: 'a' } }, { at_ms: 0, event: { type: 'start' } }];
  let at = 0;
  for (let n = 0; n < EVENTS; n += 1) {
    at += one(0, 0, 1, 5, 50, 700, 3_000, 12_000);
    const event = weighted(EVENTS_OF_CLIENT)(used);
    if (event.type === 'subscribe') used.add(event.channel);
    if (event.type === 'unsubscribe') used.delete(event.channel);
    script.push({ at_ms: at, event, ...(below(25) ? {} : { asleep: true }) });
  }
  const config = { seed: 1 + below(1_000), queue: one(true, false), count: one(2, 100), bytes: one(150, 262_144) };
  return { name, config, script: play({ config, script: [...script, { at_ms: at + 60_000 }] }) };
}

mkdirSync(folder, { recursive: true });
const scenarios = Array.from({ length: Number(count) }, (_, n) => scenario(`random ${n} of seed ${seed}`));
writeFileSync(`${folder}/random.json`, format({ about: 'Random events.', scenarios }));
