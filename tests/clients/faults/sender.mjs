// A client that publishes and listens, and says what became of it. As a program, it is asked by its parent.

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import WebSocket from 'ws';

/**
 * Begins a client of a room, and gives what to ask of it. Runs in a tab too, so it uses nothing of this module.
 * Each message ends in `outcomes`: its number, or the code of its error. `heard` has what came, `lost` the numbers that are named as lost.
 */
export function begin({ Switchboard }, url, options) {
  const outcomes = {};
  const heard = [];
  const lost = [];
  const client = new Switchboard(url, options);
  const room = client.subscribe('den');
  room.on('message', ({ content, seq }) => heard.push({ content, seq }));
  room.on('gap', ({ from, to }) => lost.push({ from, to }));
  room.on('epoch', () => lost.push('epoch'));
  const { now } = Date;
  return {
    publish(content) {
      outcomes[content] = null;
      client.publish('den', content).then((seq) => (outcomes[content] = seq), (error) => (outcomes[content] = error.code ?? String(error)));
    },
    told: () => ({ outcomes, heard, lost, status: client.state.status }),
    /** Sets the clock of the wall, so many milliseconds ahead of what it would say. */
    setsClock(ahead) {
      Date.now = () => now.call(Date) + ahead;
    },
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const source = readFileSync(new URL('../../../examples/page/switchboard.js', import.meta.url), 'utf8');
  const client = await import(`data:text/javascript,${encodeURIComponent(source)}`);
  const sender = begin(client, process.argv[2], { webSocket: WebSocket, getToken: () => 'ann' });
  process.on('message', ({ id, method, argument }) => process.send({ id, value: sender[method](argument) }));
}
