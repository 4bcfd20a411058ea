import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createMachine } from '../dist/machine.js';
import { decide } from '../dist/verdict.js';

const welcome = { type: 'welcome', connection: 'c1', user: 'ann', ping_ms: 25_000, max_bytes: 65_536 };

describe('the close codes, as the table of the protocol has them', () => {
  const table = {
    stop: [[1000, 'replaced'], 1002, 1003, 1007, 1008, 1009, 3000, 3500, 3999, [4002, 'lobby_full'], 4003, 4004, 4005, 4500, 4999],
    backoff: [1000, 1001, 1004, 1005, 1006, 1010, 1011, 1012, 1013, 1014, 1015, 2999, 4000, 4006, 4099, 4100, 4101, 4102, 4103, 4200, 4399, 4400, 4499, 5000],
    full: [[4002, 'server_full'], 4002], jitter: [4201], token: [4001], expired: [4202],
  };
  for (const [verdict, codes] of Object.entries(table)) {
    it(verdict, () => {
      for (const row of codes) assert.equal(decide(...[row, ''].flat().slice(0, 2)), verdict, String(row));
    });
  }
});

describe('random delays', () => {
  const delay = (seed, failures, end = { code: 1006, reason: '' }) => {
    const machine = createMachine({ seed });
    let now = 0;
    machine.handle(now, { type: 'start' });
    for (;;) {
      machine.handle(now, { type: 'closed', ...end });
      const until = machine.deadline();
      if (failures-- === 0) return until - now;
      now = until;
      machine.handle(now, { type: 'tick' });
    }
  };

  it('are spread over all of the ceiling, which doubles from 500 ms to 20 s', () => {
    for (const [failures, ceiling] of [[0, 500], [1, 1_000], [4, 8_000], [6, 20_000], [30, 20_000]]) {
      const delays = Array.from({ length: 2_000 }, (_, seed) => delay(seed, failures));
      assert.ok(Math.min(...delays) >= 0 && Math.min(...delays) < ceiling * 0.01);
      assert.ok(Math.max(...delays) <= ceiling && Math.max(...delays) > ceiling * 0.99);
      const mean = delays.reduce((sum, one) => sum + one) / delays.length;
      assert.ok(Math.abs(mean / ceiling - 0.5) < 0.03, `${mean} of ${ceiling}`);
    }
  });

  it('from a full server are 5 to 10 s at first, 5 to 20 s later', () => {
    const end = { code: 4002, reason: 'server_full' };
    for (const [failures, most] of [[0, 10_000], [5, 20_000]]) {
      const delays = Array.from({ length: 500 }, (_, seed) => delay(seed, failures, end));
      assert.ok(Math.min(...delays) >= 5_000 && Math.max(...delays) <= most && Math.max(...delays) > most * 0.97);
    }
  });

  it('are the same for the same seed, and others for its neighbour', () => {
    assert.equal(delay(7, 5), delay(7, 5));
    assert.notEqual(delay(7, 5), delay(8, 5));
  });
});

describe('whatever happens in whatever order', () => {
  const CODES = [1000, 1001, 1006, 1009, 1011, 4001, 4002, 4004, 4201, 4202, 4450, 4600];
  const CHANNELS = ['a', 'b', 'c'];

  function live(seed, steps) {
    let state = seed * 2_654_435_761 >>> 0;
    const random = (n) => { state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0; return Math.floor(state / 2 ** 32 * n); };
    const one = (list) => list[random(list.length)];
    const machine = createMachine({ seed, token: seed % 3 === 0, queue: seed % 2 === 0, count: 5, attempts: seed % 5 === 0 ? 4 : 0 });
    const open = new Set();
    const asked = [];
    const seqs = {};
    let [now, socket, status] = [0, 'none', 'idle'];

    const act = (event) => {
      for (const action of machine.handle(now, event)) {
        switch (action.type) {
          case 'dial': assert.equal(socket, 'none', 'a second socket'); socket = 'dialing'; break;
          case 'close': assert.notEqual(socket, 'none', 'nothing to close'); socket = 'none'; asked.length = 0; break;
          case 'send':
            assert.equal(socket, 'open', 'nowhere to send to');
            if (status !== 'connected') assert.equal(action.frame.type, 'health_pong');
            if (action.frame.id) asked.push(action.frame);
            break;
          case 'done': case 'failed': assert.ok(open.delete(action.id), `message ${action.id} ends twice, or never began`); break;
          case 'state': ({ status } = action.state); break;
          case 'gap': assert.ok(action.from <= action.to); break;
        }
      }
      if (status === 'stopped') assert.equal(machine.deadline(), Infinity);
    };
    const answer = (frame) => act({ type: 'message', frame });

    for (let step = 0; step < steps; step += 1) {
      const until = random(4) === 0 ? now + random(30_000) : now + random(50);
      while (machine.deadline() <= until) { now = Math.max(now, machine.deadline()); act({ type: 'tick' }); }
      now = until;
      switch (random(14)) {
        case 0: act({ type: one(['start', 'stop', 'reconnect', 'start', 'start']) }); break;
        case 1: act({ type: one(['online', 'offline', 'visible', 'hidden', 'suspend', 'resume', 'ping']) }); break;
        case 2: act({ type: one(['token', 'token', 'token_failed']) }); break;
        case 3: act({ type: one(['subscribe', 'subscribe', 'unsubscribe']), channel: one(CHANNELS) }); break;
        case 4: case 5: { const id = machine.nextId(); open.add(id); act({ type: 'publish', channel: one(CHANNELS), content: 1, bytes: random(70_000) }); break; }
        case 6: { const id = machine.nextId(); open.add(id); act({ type: 'direct', to: 'bob', content: 1, bytes: 50 }); if (random(3) === 0) act({ type: 'cancel', id }); break; }
        case 7: if (random(4) === 0 && socket !== 'none') { socket = 'none'; asked.length = 0; act({ type: 'closed', code: one(CODES), reason: '' }); } break;
        case 8: case 9:
          if (socket === 'dialing') { socket = 'open'; act({ type: 'opened' }); }
          if (socket === 'open') answer(welcome);
          break;
        default: {
          if (socket !== 'open') break;
          const request = asked.shift();
          const channel = one(CHANNELS);
          seqs[channel] = (seqs[channel] ?? 0) + 1 + (random(10) === 0 ? random(5) : 0);
          if (!request) answer(one([null, { type: 'message', channel, content: 1, seq: seqs[channel] }, { type: 'error', code: 'rate_limited', message: '' }, { type: 'bye', code: 1001, reason: 'draining', reconnect_in_ms: 10 }, { type: 'health_ping', timestamp: 1 }]));
          else if (random(6) === 0) answer({ type: 'error', code: 'forbidden', message: '', id: request.id });
          else if (request.type === 'subscribe') answer({ type: 'subscribed', channel: request.channel, id: request.id, seq: seqs[request.channel] ?? 0, epoch: 'e1' });
          else if (request.type === 'message') answer({ type: 'ack', id: request.id, seq: seqs[request.channel] = (seqs[request.channel] ?? 0) + 1 });
          else if (request.type === 'direct') answer({ type: 'ack', id: request.id, delivered: 1 });
        }
      }
    }
    act({ type: 'stop' });
    if (status === 'stopped') assert.deepEqual([...open], [], 'every message has an end');
    assert.equal(socket, 'none');
  }

  it('one socket at a time, nothing sent without one, exactly one end for each message', () => {
    for (let seed = 1; seed <= 300; seed += 1) live(seed, 400);
  });
});
