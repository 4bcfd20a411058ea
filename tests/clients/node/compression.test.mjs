// Messages to a room whose members can inflate them, or not.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client } from './client.mjs';
import { chat, echo } from './server.mjs';
import { until } from './wait.mjs';
import WebSocket from 'ws';

const words = (bytes) => 'how now brown cow '.repeat(bytes / 18 + 1).slice(0, bytes);
const COMPRESS = ['--compress', 'on', '--rate', 0, '--history', 200, '--on-join', 200];

test('members with and without compression get the same messages', async (t) => {
  const server = await chat(t, ...COMPRESS, '--users', 'allow:9');
  const plain = await Client.as(server, 'ann', 'den');
  const large = await Client.as(server, 'bob', 'den', { perMessageDeflate: true });
  const small = await Client.as(server, 'cy', 'den', { perMessageDeflate: { serverMaxWindowBits: 10 } });
  const members = [plain, large, small];
  assert.equal(plain.socket.extensions, '');
  assert.match(large.socket.extensions, /^permessage-deflate/);
  const begun = large.socket._socket.bytesRead;
  // Numbers of one, two and three digits.
  for (let number = 1; number <= 120; number += 1) {
    const sender = members[number % 3];
    sender.send({ type: 'message', channel: 'den', content: words(300 + 40 * number), echo: true });
    const got = [];
    for (const member of members) got.push(await member.next({ type: 'message', seq: number }));
    assert.equal(got[0].content.length, 300 + 40 * number);
    assert.deepEqual(got[1], got[0]);
    assert.deepEqual(got[2], got[0]);
  }
  const { compressed, inflated } = await server.stats();
  assert.equal(compressed.connections, 2);
  assert.ok(compressed.messages > 100, JSON.stringify(compressed));
  assert.ok(compressed.bytes_out < compressed.bytes_in / 4, JSON.stringify(compressed));
  assert.ok(inflated.messages > 60, JSON.stringify(inflated));
  const bytes = (it) => it.socket._socket.bytesRead;
  assert.ok(bytes(large) - begun < bytes(plain) / 4, `${bytes(large) - begun} of ${bytes(plain)}`);

  // A newcomer gets the room's history, in its form. It has no room for all of it.
  const late = await Client.as(server, 'dee', 'den');
  const other = await Client.as(server, 'eve', 'den', { perMessageDeflate: true });
  for (let number = 81; number <= 120; number += 1) {
    const expected = await late.next({ type: 'message', seq: number });
    assert.deepEqual(await other.next({ type: 'message', seq: number }), expected);
  }
  assert.ok(bytes(other) < bytes(late) / 4, `${bytes(other)} of ${bytes(late)}`);
});

test('short lines are a part of themselves for clients in step, and the same for all', async (t) => {
  const server = await chat(t, ...COMPRESS, '--room-contexts', 4, '--users', 'allow:9');
  const plain = await Client.as(server, 'ann', 'den');
  const keeping = [
    await Client.as(server, 'bob', 'den', { perMessageDeflate: true }),
    await Client.as(server, 'cy', 'den', { perMessageDeflate: { serverMaxWindowBits: 12 } }),
  ];
  const declines = await Client.as(server, 'dee', 'den', { perMessageDeflate: { serverNoContextTakeover: true } });
  const members = [plain, ...keeping, declines];
  const read = ({ socket }) => socket._socket.bytesRead;
  const begun = members.map(read);
  const line = (number) => `line ${number}: the ${number % 7}. build of ${number % 13} is done, who looks at it?`;
  const say = async (number, sender, echo) => {
    sender.send({ type: 'message', channel: 'den', content: line(number), echo });
    for (const member of members) {
      if (member === sender && !echo) continue;
      const { content } = await member.next({ type: 'message', seq: number });
      assert.equal(content, line(number));
    }
  };
  for (let number = 1; number <= 150; number += 1) await say(number, members[number % 4], true);
  const bytes = members.map((member, at) => read(member) - begun[at]);
  const { contexts } = await server.stats();
  assert.deepEqual([contexts.rooms, contexts.messages], [1, 150]);
  assert.ok(contexts.bytes_out < contexts.bytes_in * 0.4, JSON.stringify(contexts));
  for (const some of [bytes[1], bytes[2]]) assert.ok(some < contexts.bytes_in * 0.5, `${some} of ${contexts.bytes_in}`);
  for (const all of [bytes[0], bytes[3]]) assert.ok(all >= contexts.bytes_in, `${all} of ${contexts.bytes_in}`);

  // Senders miss their own lines, longer ones are in between, and somebody comes late.
  members.push(await Client.as(server, 'eve', 'den', { perMessageDeflate: true }));
  for (let number = 151; number <= 400; number += 1) {
    const sender = members[number % members.length];
    if (number % 20 === 0) {
      sender.send({ type: 'message', channel: 'den', content: words(100 * number), echo: true });
      for (const member of members) await member.next({ type: 'message', seq: number, content: words(100 * number) });
    } else {
      await say(number, sender, false);
    }
  }
});

test('a client that declines in the query gets plain messages', async (t) => {
  const server = await chat(t, ...COMPRESS);
  const url = '/ws/den?token=ann&deflate=off';
  const ann = await Client.enter(server, url, { perMessageDeflate: true });
  assert.equal(ann.socket.extensions, '');
  ann.send({ type: 'message', content: words(2000), echo: true });
  await ann.next({ type: 'message', content: words(2000) });
  assert.equal((await server.stats()).compressed.messages, 0);
});

test('messages of any size come back from a server that compresses', async (t) => {
  const server = await echo(t, '--compress', 'on');
  const socket = new WebSocket(`ws://${server.host}/`, { perMessageDeflate: true });
  const heard = [];
  socket.on('message', (data, binary) => heard.push(binary ? data : data.toString()));
  await until(() => socket.readyState === WebSocket.OPEN, 'an open socket');
  for (const bytes of [0, 1, 511, 512, 65_535, 65_536, 1 << 20]) {
    for (const message of [words(bytes), Buffer.from(words(bytes))]) {
      socket.send(message);
      await until(() => heard.length > 0, `an echo of ${bytes} bytes`);
      assert.deepEqual(heard.shift(), message);
    }
  }
  socket.close();
});
