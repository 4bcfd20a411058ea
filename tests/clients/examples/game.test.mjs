// The game: eight seats at a table, which are kept for those who lose the connection.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import WebSocket from 'ws';
import { until } from '../node/wait.mjs';
import { program } from './program.mjs';

class Player {
  seat = null;
  closed = null;
  frames = 0;
  /** The place of each seat, as last told. */
  places = new Map();

  constructor(server, name, table = 'table') {
    this.socket = new WebSocket(`ws://${server.host}/ws/${table}?token=${name}`, { perMessageDeflate: false });
    this.socket.on('message', (data, binary) => {
      if (!binary) {
        this.seat = Number(data.toString());
        return;
      }
      this.frames += 1;
      this.places = new Map();
      for (let at = 0; at < data.length; at += 3) this.places.set(data[at], [data[at + 1], data[at + 2]]);
    });
    this.socket.on('close', (code, reason) => (this.closed = [code, reason.toString()]));
  }

  /** Waits until it has a seat, or was refused. */
  async verdict() {
    await until(() => this.seat !== null || this.closed, 'a seat or a refusal');
    return this.closed ?? this.seat;
  }
}

test('a table has eight seats, and the host puts players out with a reason', async (t) => {
  const server = await program(t, 'game', '127.0.0.1:0');
  const players = [];
  for (let seat = 0; seat < 8; seat += 1) {
    players.push(new Player(server, `p${seat}`));
    assert.equal(await players[seat].verdict(), seat);
  }
  const late = () => new Player(server, 'late').verdict();
  assert.deepEqual(await late(), [4002, 'lobby_full']);
  const elsewhere = new Player(server, 'late', 'other');
  assert.equal(await elsewhere.verdict(), 0);
  await until(() => elsewhere.frames > 0, 'a frame');
  assert.equal(elsewhere.places.size, 1, 'tables are apart');

  // A player who loses the connection has the seat still, and nobody else gets it.
  players[3].socket.terminate();
  await until(() => players[0].places.size === 8 && players[3].closed, 'the end of a connection');
  assert.deepEqual(await late(), [4002, 'lobby_full']);
  players[3] = new Player(server, 'p3');
  assert.equal(await players[3].verdict(), 3);

  // Only the host puts out, and whoever is put out has no seat any more, whether there or not.
  players[1].socket.send('2 no reason');
  players[0].socket.send('5 does not share');
  await until(() => players[5].closed, 'the end');
  assert.deepEqual(players[5].closed, [4500, 'does not share']);
  assert.equal(players[2].closed, null);
  assert.equal(await late(), 5);
  players[7].socket.terminate();
  await until(() => players[7].closed, 'the end of a connection');
  players[0].socket.send('7 gone');
  await until(() => !players[0].places.has(7), 'an empty seat');
  assert.equal(await new Player(server, 'eve').verdict(), 7);
  server.child.kill('SIGINT');
  await until(() => players[0].closed, 'the end');
  assert.equal(players[0].closed[0], 1001);
  assert.deepEqual(await server.exited, { code: 0, signal: null });
});

test('a player moves by a step in each frame', async (t) => {
  const server = await program(t, 'game', '127.0.0.1:0');
  const [ann, bob] = [new Player(server, 'ann'), new Player(server, 'bob')];
  await until(() => bob.places.size === 2, 'both players');
  const seat = await ann.verdict();
  ann.socket.send(Uint8Array.of(2, 255));
  await until(() => bob.places.get(seat)[0] !== 128, 'a move');
  const [from, frames] = [bob.places.get(seat), bob.frames];
  await until(() => bob.frames >= frames + 5, 'some frames');
  const steps = bob.frames - frames;
  assert.deepEqual(bob.places.get(seat), [(from[0] + 2 * steps) % 256, (from[1] - steps + 256) % 256]);
  ann.socket.send(Uint8Array.of(1));
  await until(() => ann.closed, 'the end');
  assert.equal(ann.closed[0], 4003);
});
