// The client where nothing is global but what its README names, as in React Native with its polyfills: no window, document, navigator or location.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { it } from 'node:test';
import vm from 'node:vm';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
const named = /^Any with (.*?):/m.exec(readme)[1].match(/(?<=`)[\w.]+(?=`)/g);

/** A context with only these globals beside those of the language. */
function context(names, more) {
  const globals = {};
  for (const name of names) {
    const [object, property] = name.split('.');
    if (!property) globals[object] = globalThis[object];
    else (globals[object] ??= {})[property] = globalThis[object][property].bind(globalThis[object]);
  }
  return vm.createContext({ ...globals, ...more });
}

const run = (surroundings, name) => {
  const module = { exports: {} };
  vm.runInContext(`(module, exports, require) => {${readFileSync(new URL(`../dist/${name}.cjs`, import.meta.url), 'utf8')}\n}`, surroundings)(module, module.exports, (path) => run(surroundings, path.replace(/^.\/|\.cjs$/g, '')));
  return module.exports;
};

it('needs no globals but those that the README names', async () => {
  let socket;
  class WebSocket {
    sent = [];
    constructor(url, protocols) { socket = Object.assign(this, { url, protocols }); }
    send(text) { this.sent.push(JSON.parse(text)); }
    close() { this.closed = true; }
    receive(frame) { this.onmessage({ data: JSON.stringify(frame) }); }
  }
  assert.ok(named.includes('WebSocket') && named.includes('URL'), `${named}`);
  const surroundings = context(named.filter((name) => name !== 'WebSocket'), { WebSocket });
  const { Switchboard } = run(surroundings, 'index');
  const client = new Switchboard('wss://host/ws', { getToken: () => 'ann', signal: new AbortController().signal });
  const room = client.subscribe('a');
  const { history } = run(surroundings, 'history');
  const kept = history(room);
  while (!socket) await new Promise((resolve) => { setImmediate(resolve); });
  assert.match(socket.url, /^wss:\/\/host\/ws\?session=[\w-]+$/);
  assert.equal(socket.protocols[1], 'base64url.bearer.switchboard.YW5u');
  socket.onopen();
  socket.receive({ type: 'welcome', connection: 'c1', user: 'ann' });
  socket.receive({ type: 'subscribed', channel: 'a', id: socket.sent[0].id, seq: 0, epoch: 'e1' });
  socket.receive({ type: 'message', channel: 'a', content: 'hi', seq: 1 });
  assert.equal(kept.messages[0].content, 'hi');
  const sent = client.publish('a', { text: 'hello' });
  socket.receive({ type: 'ack', id: socket.sent[1].id, seq: 2 });
  assert.equal(await sent, 2);
  client.close();
  assert.equal(socket.closed, true);
});
