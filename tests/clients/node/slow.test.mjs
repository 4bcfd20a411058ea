// A member that does not keep up is the only one who loses.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client } from './client.mjs';
import { NOBODY, chat } from './server.mjs';
import { until } from './wait.mjs';

const MIB = 2 ** 20;
const CONTENT = 'x'.repeat(60_000);

/**
 * Sends `count` messages, four at a time, and gives the numbers they got. A message waits until each of
 * the `others` has heard as many as this client has sent: they share a process, and one whose turn to
 * read comes late there would be slow for the server too.
 */
async function publish(client, channel, count, others = [], publishers = 1) {
  const numbers = [];
  const before = others.map((it) => it.heard.length);
  let sent = 0;
  const more = () => {
    // What the others have heard is of all publishers.
    const heard = others.map((it, n) => (it.heard.length - before[n]) / publishers);
    while (sent < count && sent < Math.min(numbers.length, ...heard) + 4) {
      sent += 1;
      client.send({ type: 'message', channel, content: CONTENT, id: sent, echo: true });
    }
  };
  client.socket.on('message', (data) => {
    const text = data.toString('utf8', 0, 100);
    if (!text.includes('"type":"ack"')) return;
    numbers.push(JSON.parse(text).seq);
    more();
  });
  for (const other of others) other.socket.on('message', more);
  more();
  const acks = () => `${count} acks, not ${numbers.length}; ${[client, ...others].join('; ')}`;
  await until(() => numbers.length === count || client.closed, acks, 60_000);
  assert.equal(numbers.length, count, String(client));
  return numbers;
}

/** The numbers of a room's messages, without keeping the messages. */
function numbersOf(client) {
  const numbers = [];
  client.socket.removeAllListeners('message');
  client.socket.on('message', (data) => {
    // The number stands at the end, behind 60 kB of content.
    const text = data.toString('utf8', 0, 100) + data.toString('utf8', Math.max(100, data.length - 40));
    const seq = /"type":"message".*"seq":(\d+)/s.exec(text)?.[1];
    if (seq) numbers.push(Number(seq));
  });
  client.heard = numbers;
  return numbers;
}

const upTo = (count) => Array.from({ length: count }, (_, n) => n + 1);

test('a member that reads nothing while its room gets 50 MB is closed, and nobody else misses a message', async (t) => {
  const server = await chat(t, '--rate', 0, '--queue-bytes', MIB, '--close-timeout', 1);
  const publishers = [await Client.as(server, 'p1', 'den'), await Client.as(server, 'p2', 'den')];
  const readers = [await Client.as(server, 'r1', 'den'), await Client.as(server, 'r2', 'den')];
  const stalled = await Client.as(server, 'stalled', 'den');
  await Promise.all([...publishers, ...readers, stalled].map((it) => it.roundTrip()));
  const heard = [...publishers, ...readers].map(numbersOf);
  // A first round, so that what is compared below is memory of the same work.
  await publish(publishers[0], 'den', 20);
  await until(() => heard.every((it) => it.length === 20), 'the first round everywhere');

  stalled.socket.pause();
  const before = server.memory();
  let peak = before;
  const watch = setInterval(() => {
    peak = Math.max(peak, server.memory() ?? 0);
  }, 20);
  t.after(() => clearInterval(watch));
  const each = 420;
  const given = await Promise.all(publishers.map((it) => publish(it, 'den', each, readers, 2)));
  const total = 20 + 2 * each;
  const short = () => `${total} messages everywhere, not ${heard.map((it) => it.length)}`;
  await until(() => heard.every((it) => it.length >= total), short, 30_000).catch(async (error) => {
    error.message += `; ${JSON.stringify(await server.stats())}; ${readers.join('; ')}`;
    throw error;
  });
  for (const numbers of heard) assert.deepEqual(numbers, upTo(total));
  assert.deepEqual(given.flat().sort((a, b) => a - b), upTo(total).slice(20));

  const stats = await server.reaches({ total_connections: 4, closing: 0, queued_bytes: 0 });
  assert.equal(stats.closes.slow_consumer, 1);
  const grown = (peak - before) / MIB;
  t.diagnostic(`memory grew by at most ${grown.toFixed(1)} MiB`);
  assert.ok(grown < 16, `${grown} MiB`);
  stalled.socket.resume();
  const end = await stalled.end();
  assert.ok(end.code === 4101 || end.code === 1006, JSON.stringify(end));

  await Promise.all([...publishers, ...readers].map((it) => it.leave()));
  await server.reaches(NOBODY);
  await until(
    () => server.memory() < before + 4 * MIB,
    () => `memory near ${before}, not ${server.memory()}`,
  );
});

test('a slow consumer that reads again in time reads its Close', async (t) => {
  const server = await chat(t, '--rate', 0, '--queue-bytes', MIB, '--close-timeout', 30);
  const publisher = await Client.as(server, 'p', 'den');
  const stalled = await Client.as(server, 'stalled', 'den');
  await stalled.roundTrip();
  const heard = numbersOf(stalled);
  stalled.socket.pause();
  numbersOf(publisher);
  let gone = false;
  for (let round = 0; round < 60 && !gone; round += 1) {
    await publish(publisher, 'den', 20);
    gone = (await server.stats()).total_connections === 1;
  }
  assert.ok(gone, 'still a member');
  stalled.socket.resume();
  assert.deepEqual(await stalled.end(), { code: 4101, reason: 'slow_consumer' });
  assert.deepEqual(heard, upTo(heard.length), 'what came is the beginning, whole and in order');
});

for (const policy of ['drop-oldest', 'drop-newest']) {
  test(`with --slow ${policy} a slow member stays, and what it missed is counted`, async (t) => {
    const flags = ['--rate', 0, '--queue-bytes', MIB, '--slow', policy, '--write-stall', 60];
    const server = await chat(t, ...flags);
    const publisher = await Client.as(server, 'p', 'den');
    const stalled = await Client.as(server, 'stalled', 'den');
    await stalled.roundTrip();
    const heard = numbersOf(stalled);
    stalled.socket.pause();
    numbersOf(publisher);
    let sent = 0;
    let lost = 0;
    while (lost < 10 && sent < 1200) {
      await publish(publisher, 'den', 20);
      sent += 20;
      const { dropped } = await server.stats();
      lost = Object.values(dropped).reduce((sum, it) => sum + it, 0);
    }
    assert.ok(lost >= 10, `${lost} of ${sent} dropped`);
    stalled.socket.resume();
    await until(
      () => heard.length + lost === sent,
      () => `${heard.length} heard and ${lost} dropped of ${sent}`,
    );
    assert.deepEqual(heard, [...new Set(heard)].sort((a, b) => a - b), 'in order, none twice');
    await publish(publisher, 'den', 1);
    await until(() => heard.at(-1) === sent + 1, 'the next message');
    await server.reaches({ total_connections: 2, queued_bytes: 0 });
  });
}

test('a connection whose bytes do not move for the write stall is closed', async (t) => {
  const flags = ['--rate', 0, '--queue-bytes', 8 * MIB, '--write-stall', 0.5, '--close-timeout', 0.5];
  const server = await chat(t, ...flags);
  const publisher = await Client.as(server, 'p', 'den');
  const stalled = await Client.as(server, 'stalled', 'den');
  await stalled.roundTrip();
  stalled.socket.pause();
  numbersOf(publisher);
  let waiting = false;
  for (let round = 0; round < 60 && !waiting; round += 1) {
    await publish(publisher, 'den', 10);
    waiting = (await server.stats()).queued_bytes > 0;
  }
  const stats = await server.reaches({ total_connections: 1, closing: 0 });
  assert.equal(stats.closes.slow_consumer, 1);
});
