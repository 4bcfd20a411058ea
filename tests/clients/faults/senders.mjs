// The TypeScript client where it runs: in this process, and in a tab of Chromium.

import { readFileSync } from 'node:fs';
import WebSocket from 'ws';
import { ChatPage } from '../browser/pages.mjs';

const CLIENT = new URL('../../../examples/page/switchboard.js', import.meta.url);

/**
 * Begins a client of a room, and gives what to ask of it. Runs in the tab too, so it uses nothing of this module.
 * Each message ends in `outcomes`: its number, or the code of its error. `heard` has what came, `lost` the numbers that are named as lost.
 */
function begin({ Switchboard }, url, options) {
  const outcomes = {};
  const heard = [];
  const lost = [];
  const client = new Switchboard(url, options);
  const room = client.subscribe('den');
  room.on('message', ({ content, seq }) => heard.push({ content, seq }));
  room.on('gap', ({ from, to }) => lost.push({ from, to }));
  room.on('epoch', () => lost.push('epoch'));
  return {
    publish(content) {
      outcomes[content] = null;
      client.publish('den', content).then((seq) => (outcomes[content] = seq), (error) => (outcomes[content] = error.code ?? String(error)));
    },
    told: () => ({ outcomes, heard, lost, status: client.state.status }),
    close: () => client.close(),
  };
}

/** In this process. */
export async function inNode(t, network) {
  const client = await import(`data:text/javascript,${encodeURIComponent(readFileSync(CLIENT, 'utf8'))}`);
  const sender = begin(client, `ws://${network.host}/ws`, { webSocket: WebSocket, getToken: () => 'ann' });
  t.after(() => sender.close());
  return { publish: async (content) => sender.publish(content), told: async () => sender.told(), offline: null };
}

/** In a tab of a browser. */
export async function inChromium(t, network, browser) {
  const { page, context } = await ChatPage.blank(t, browser);
  // A page without a policy, of the same origin.
  await page.goto(`http://${network.host}/healthz`);
  await page.evaluate(`import('/switchboard.js').then((client) => {
    window.sender = (${begin})(client, '/ws', { getToken: () => 'ann' });
  })`);
  return {
    publish: (content) => page.evaluate((it) => window.sender.publish(it), content),
    told: () => page.evaluate(() => window.sender.told()),
    offline: (is) => context.setOffline(is),
  };
}
