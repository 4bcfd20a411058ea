// What becomes of messages under faults of the network, the clock, the host and the page, in Node and in Chromium: each
// is acknowledged and has arrived once, or has failed with a reason; and what others say comes once and in order, or is
// named as lost.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { browser } from '../browser/pages.mjs';
import { Client } from '../node/client.mjs';
import { network } from '../node/network.mjs';
import { chat } from '../node/server.mjs';
import { timePasses, until } from '../node/wait.mjs';
import { inChromium, inNode, onDevice } from './senders.mjs';

let chromium;
before(async () => {
  chromium = await browser();
});
after(() => chromium?.close());

const HOUR_MS = 3_600_000;
/** Longer than what the client lets a message wait, and its answer. */
const SETTLED_MS = 60_000;
/** Of these a message may have arrived or not; of all others it has not. */
const UNKNOWN = ['unconfirmed', 'timeout'];

const comesBack = (it) => it.taken > it.before;

/** The server has given up a client that answers nothing. */
const givenUp = (it, server) => server.reaches({ closes: { heartbeat_timeout: 1 } });

/** Each fault: how it begins, and whether it has lasted long enough. `mute`: nothing of the client runs meanwhile. */
const FAULTS = {
  'a slow network': { begins: (it) => Object.assign(it.up, { delay: 150 }) && Object.assign(it.down, { delay: 150 }), lasts: () => timePasses(1_000) },
  'a network that lets bytes trickle': { begins: (it) => (it.up.trickle = it.down.trickle = 3), lasts: () => timePasses(1_000) },
  'a network that swallows what is sent': { begins: (it) => it.up.block(), lasts: (it) => until(() => comesBack(it), 'another attempt', 40_000) },
  'a network that swallows what is answered': { begins: (it) => it.down.block(), lasts: (it) => until(() => comesBack(it), 'another attempt', 40_000) },
  'a network that stalls, and goes on': { begins: (it) => it.up.block() ?? it.down.block(), lasts: () => timePasses(2_000) },
  'a network that is gone': { begins: (it) => it.cut(), lasts: () => timePasses(3_000) },
  'a connection that is reset': { begins: (it) => it.reset(), lasts: (it) => until(() => comesBack(it), 'another attempt') },
  'a connection that is reset again and again': {
    begins: (it) => it.reset(),
    lasts: async (it) => {
      for (let n = 0; n < 3; n += 1) {
        await until(() => comesBack(it), 'another attempt');
        it.before = it.taken;
        it.reset();
      }
    },
  },
  'a connection that is half closed': { begins: (it) => it.halfClose(), lasts: (it) => until(() => comesBack(it), 'another attempt', 40_000) },
  'answers that are cut off in the middle': { begins: (it) => (it.down.left = 20), lasts: (it) => until(() => comesBack(it), 'another attempt', 40_000) },
  'messages that are cut off in the middle': { begins: (it) => (it.up.left = 20), lasts: (it) => until(() => comesBack(it), 'another attempt', 40_000) },
  'a device that is offline': {
    only: 'Chromium',
    begins: (it, sender) => sender.offline(true).then(() => it.cut()),
    lasts: () => timePasses(2_000),
    ends: (it, sender) => sender.offline(false),
  },
  'a clock that is set forward': { begins: (it, sender) => sender.setsClock(HOUR_MS), lasts: () => timePasses(1_000) },
  'a clock that is set back': { begins: (it, sender) => sender.setsClock(-HOUR_MS), lasts: () => timePasses(1_000) },
  'a clock that is set forward and back while the network is gone': {
    begins: (it, sender) => it.cut() ?? sender.setsClock(HOUR_MS),
    lasts: () => timePasses(3_000),
    ends: (it, sender) => sender.setsClock(0),
  },
  'a host that sleeps': { start: { Chromium: onDevice }, mute: true, begins: (it, sender) => sender.sleeps(), lasts: givenUp, ends: (it, sender) => sender.wakes() },
  'a processor that has little time': { only: 'Chromium', begins: (it, sender) => sender.slowsDown(20), lasts: () => timePasses(2_000), ends: (it, sender) => sender.slowsDown(1) },
  'a page that is frozen': { only: 'Chromium', mute: true, begins: (it, sender) => sender.freezes(), lasts: () => timePasses(4_000), ends: (it, sender) => sender.thaws() },
  'a page that is frozen while the network goes': {
    only: 'Chromium',
    mute: true,
    begins: (it, sender) => sender.freezes().then(() => it.cut()),
    lasts: givenUp,
    ends: (it, sender) => sender.thaws(),
  },
  'a page that is left, and returned to by Back': {
    only: 'Chromium',
    start: { Chromium: (t, it) => inCachingChromium(t, it) },
    mute: true,
    begins: (it, sender) => sender.leaves(),
    lasts: (it, server) => server.reaches({ total_connections: 1 }),
    ends: (it, sender) => sender.returns(),
  },
};

/** In a browser with the back/forward cache, which Playwright's own flags turn off. */
async function inCachingChromium(t, between) {
  const caching = await browser({ ignoreDefaultArgs: ['--disable-back-forward-cache'] });
  t.after(() => caching.close());
  return inChromium(t, between, caching);
}

async function underFault({ begins, lasts, ends, mute }, t, start, ...flags) {
  const server = await chat(t, '--ping-interval', 1, '--ping-timeout', 2, '--origin', 'any', ...flags);
  const between = await network(t, server);
  const bob = await Client.as(server, 'bob', 'den');
  const sender = await start(t, between);
  /** What bob says, and its number. */
  const others = [];
  const says = async () => {
    const content = `bob ${others.length}`;
    bob.send({ type: 'message', channel: 'den', content, id: others.length });
    const { seq } = await bob.next({ type: 'ack', id: others.length });
    others.push({ content, seq });
  };
  let sent = 0;
  const publishes = async (count) => {
    for (let n = 0; n < count; n += 1) await sender.publish(`ann ${sent++}`);
  };
  const told = async (what, words) => {
    let last;
    await until(async () => what((last = await sender.told())), () => `${words}: ${JSON.stringify(last)}`, SETTLED_MS);
    return last;
  };

  await told(({ status }) => status === 'connected', 'a connection');
  await publishes(3);
  await told(({ outcomes }) => Object.values(outcomes).every((it) => it > 0), 'three answers');
  between.before = between.taken;
  // The first of these may be under way when the fault begins, and the others meet it.
  await publishes(2);
  await begins(between, sender);
  if (!mute) await publishes(3);
  await says();
  await says();
  await lasts(between, server);
  if (!mute) await publishes(2);
  between.heal();
  await ends?.(between, sender);
  await says();
  await publishes(2);

  const { outcomes } = await told((it) => Object.values(it.outcomes).every((one) => one !== null), 'an end of each message');
  await told(({ status }) => status === 'connected', 'a connection');
  await says();
  await told(({ heard }) => heard.some(({ content }) => content === others.at(-1).content), 'the last message of the other');
  await bob.roundTrip();
  const { heard, lost } = await sender.told();
  check(outcomes, bob.messages.filter(({ type }) => type === 'message'));
  assert.equal(Object.keys(outcomes).length, sent);
  const numbers = heard.map(({ seq }) => seq);
  assert.deepEqual(numbers, [...new Set(numbers)].sort((a, b) => a - b), 'each once, in order');
  const missing = others.filter(({ seq }) => !numbers.includes(seq));
  const named = ({ seq }) => lost.some((it) => it === 'epoch' || (it.from <= seq && seq <= it.to));
  assert.deepEqual(missing.filter((it) => !named(it)), [], 'what has not come is named as lost');
  const fates = Object.values(outcomes).map((it) => (it > 0 ? 'sent' : it));
  t.diagnostic(`${fates.join(' ')}; ${missing.length} of ${others.length} lost`);
  return missing;
}

/** Whether each outcome is the truth, which is what another member got. */
function check(outcomes, arrived) {
  for (const [content, outcome] of Object.entries(outcomes)) {
    const copies = arrived.filter((it) => it.content === content);
    assert.ok(copies.length <= 1, `${content} arrived ${copies.length} times: ${outcome}`);
    if (typeof outcome === 'number') assert.equal(copies[0]?.seq, outcome, `${content} was acknowledged as ${outcome}`);
    else if (!UNKNOWN.includes(outcome)) assert.equal(copies.length, 0, `${content} failed by ${outcome} and arrived`);
  }
}

for (const [name, fault] of Object.entries(FAULTS)) {
  const nothingIsMissing = (missing) => assert.deepEqual(missing, []);
  if (!fault.only) {
    test(`Node: ${name}`, async (t) => nothingIsMissing(await underFault(fault, t, inNode)));
    test(`Node, without a history: ${name}`, (t) => underFault(fault, t, inNode, '--history', 0));
  }
  const start = fault.start?.Chromium ?? ((it, between) => inChromium(it, between, chromium));
  test(`Chromium: ${name}`, async (t) => nothingIsMissing(await underFault(fault, t, start)));
}
