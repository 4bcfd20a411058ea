// Programs of their own: how they begin and how they end.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { WebSocketServer } from 'ws';

const root = fileURLToPath(new URL('..', import.meta.url));
const IMPORTS = "import WebSocket from 'ws'; import { Switchboard } from '@switchboard/client';";

describe('a program that has closed its client ends', () => {
  let server;
  let address;
  beforeEach(async () => {
    server = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols: () => 'switchboard.v1.json' });
    server.on('connection', (socket) => socket.send(JSON.stringify({ type: 'welcome', connection: 'c', user: 'ann', ping_ms: 25_000, max_bytes: 65_536 })));
    await once(server, 'listening');
    address = `ws://127.0.0.1:${server.address().port}`;
  });
  afterEach(() => {
    for (const socket of server.clients) socket.terminate();
    server.close();
  });

  /** Whether the program ends by itself within so long after it has said that it closes. */
  async function endsWithin(ms, code) {
    const child = spawn(process.execPath, ['--input-type=module', '-e', code], { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    const late = setTimeout(() => child.kill('SIGKILL'), ms);
    const [status, signal] = await once(child, 'exit');
    clearTimeout(late);
    assert.deepEqual([status, signal], [0, null]);
  }

  const close = "console.log('closing'); client.close();";
  for (const [when, options, then] of [
    ['while connected', '', `client.on('state', ({ status }) => { if (status === 'connected') { ${close} } });`],
    ['while it waits for a token', 'getToken: () => new Promise(() => {})', `setImmediate(() => { ${close} });`],
    ['while it waits to come back', 'url: "ws://127.0.0.1:1"', `client.on('state', ({ status }) => { if (status === 'waiting') { ${close} } });`],
  ]) {
    it(when, async () => {
      const code = `${IMPORTS} const options = { webSocket: WebSocket, ${options} }; const client = new Switchboard(options.url ?? '${address}', options); ${then}`;
      await endsWithin(3_000, code);
    });
  }

  it('while its server reads no more, so that nobody answers the Close', async () => {
    server.on('connection', (socket) => socket.pause());
    await endsWithin(10_000, `${IMPORTS} const client = new Switchboard('${address}', { webSocket: WebSocket }); client.on('state', ({ status }) => { if (status === 'connected') { ${close} } });`);
  });
});
