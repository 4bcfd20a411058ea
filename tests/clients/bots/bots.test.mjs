// The README's bots, each built with the client alone, in a room of chat.

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { Client } from '../node/client.mjs';
import { chat } from '../node/server.mjs';
import { until } from '../node/wait.mjs';

const { SWITCHBOARD_BOTS, SWITCHBOARD_BOTS_PORT } = process.env;

for (const runtime of ['tokio', 'smol']) {
  test(`the README's bot on ${runtime} tells who is there`, async (t) => {
    const server = await chat(t, '--listen', `127.0.0.1:${SWITCHBOARD_BOTS_PORT}`);
    const ann = await Client.as(server, 'ann', 'lobby');
    const bot = spawn(join(SWITCHBOARD_BOTS, `${runtime}-bot`), { stdio: 'inherit' });
    const exited = new Promise((resolve) => bot.on('close', resolve));
    t.after(async () => {
      bot.kill('SIGKILL');
      await exited;
    });
    await ann.next({ type: 'message', content: 'Ask me: !who, !count' });
    // Presence may come to the bot after its own subscription.
    await until(async () => {
      ann.send({ type: 'message', content: '!who' });
      const { content } = await ann.next({ type: 'message', sender: 'bot' });
      return content.split(', ').sort().join() === 'ann,bot';
    }, 'the bot to see both');
    ann.send({ type: 'message', content: '!count' });
    await ann.next({ type: 'message', sender: 'bot', content: '2' });
    ann.socket.close();
    await ann.end();
  });
}
