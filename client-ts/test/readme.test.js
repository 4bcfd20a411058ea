// The first example of each README, word for word but for the address, against a running server.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import WebSocket from 'ws';
import { Switchboard } from '../dist/index.js';

const CHAT = process.env.SWITCHBOARD_CHAT;
const root = fileURLToPath(new URL('..', import.meta.url));
/** What a browser has, and Node 20 has not: a WebSocket, and somebody who answers `fetch('/token')`. */
const PAGE = "globalThis.WebSocket = (await import('ws')).default; globalThis.fetch = async () => new Response('ann');";

describe('the first example', { skip: !CHAT && 'SWITCHBOARD_CHAT is not set' }, () => {
  for (const readme of ['README.md', '../README.md']) {
    it(`of ${readme} works as printed`, async () => {
      const [, example] = /```ts\n([\s\S]*?)```/.exec(readFileSync(new URL(readme, `file://${root}`), 'utf8'));
      assert.match(example, /await client\.publish\('room'/);
      const server = spawn(CHAT, ['--listen', '127.0.0.1:0', '--log', 'error'], { stdio: ['ignore', 'pipe', 'inherit'] });
      const [line] = await once(createInterface(server.stdout), 'line');
      const address = `ws://${line.replace(/^.*listening on (.*\/\/)?/, '')}/ws`;
      const bob = new Switchboard(address, { webSocket: WebSocket, getToken: () => 'bob' });
      const room = bob.subscribe('room');
      const heard = new Promise((resolve) => { room.on('message', resolve); });
      await new Promise((resolve) => { room.on('subscribed', resolve); });
      const code = `${PAGE}\n${example.replace('wss://example.org/ws', address)}`;
      const page = spawn(process.execPath, ['--input-type=module', '-e', code], { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
      let told = '';
      page.stdout.on('data', (text) => { told += text; });
      const failed = once(page, 'exit').then(([status]) => { throw new Error(`it ended with ${status}: ${told}`); });
      const late = new Promise((_, reject) => { setTimeout(() => reject(new Error(`it hangs: ${told}`)), 15_000).unref(); });
      let says;
      try {
        const { content, sender } = await Promise.race([heard, failed, late]);
        assert.deepEqual([content, sender], [{ text: 'hello' }, 'ann']);
        // It hears the next message from when its own was answered.
        says = setInterval(() => bob.publish('room', 'hi ann'), 50);
        while (!/bob hi ann/.test(told)) await Promise.race([once(page.stdout, 'data'), failed, late]);
        assert.match(told, /connected/);
      } finally {
        clearInterval(says);
        failed.catch(() => {});
        bob.close();
        page.kill('SIGKILL');
        server.kill('SIGKILL');
      }
    });
  }
});
