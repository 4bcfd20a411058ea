// Measures a busy room: 60 messages a second for a minute, with 500 entries on the screen. No test, since it measures time.
//
//   SWITCHBOARD_CHAT=target/release/examples/chat node tests/clients/browser/frames.mjs [SECONDS]

import { Client } from '../node/client.mjs';
import { chat } from '../node/server.mjs';
import { until } from '../node/wait.mjs';
import { ChatPage, browser } from './pages.mjs';
import { paced } from './paced.mjs';
import { traced } from './trace.mjs';

const seconds = Number(process.argv[2] ?? 60);
const PER_SECOND = 60;
const ends = [];
const t = { after: (end) => ends.unshift(end), diagnostic: console.log };
const chromium = await browser();
ends.push(() => chromium.close());

const server = await chat(t, '--rate', 0, '--history', 0);
const ann = await ChatPage.connected(t, chromium, server, 'ann');
const bob = await Client.as(server, 'bob', 'den');
let said = 0;
const say = () => bob.send({ type: 'message', channel: 'den', content: `message ${(said += 1)} of many, with a link: https://example.org/${said}` });
for (let n = 0; n < 600; n += 1) say();
await until(async () => (await ann.page.locator('#log .bubble').last().innerText()).startsWith('message 600 '), 'a full screen');

const trace = await traced(chromium, ann.page, () => paced(PER_SECOND, seconds, say));
const layouts = trace.named('Layout');
const frames = trace.named('FireAnimationFrame');
const times = trace.tasks.map(({ tdur = 0 }) => tdur / 1_000).sort((a, b) => a - b);
const at = (share) => times[Math.floor((times.length - 1) * share)].toFixed(2);
const total = times.reduce((sum, it) => sum + it, 0);
console.log(`${said - 600} messages in ${seconds} s: ${frames.length} frames, ${layouts.length} layouts, of these ${trace.within(layouts, trace.handlers).length} in handlers of messages`);
console.log(`tasks of the main thread, in ms on a processor: p50 ${at(0.5)}, p99 ${at(0.99)}, longest ${at(1)}; over 16 ms: ${times.filter((it) => it > 16).length} of ${times.length}; ${(total / seconds / 10).toFixed(1)} % of one processor`);
for (const end of ends) await end();
