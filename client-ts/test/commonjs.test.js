// The package for those who say `require`, as Jest does, and where less is global than in Node.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const { exports } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));

/** Where `require` takes ES modules, too, it is told not to. */
const flags = process.allowedNodeEnvironmentFlags.has('--experimental-require-module') ? ['--no-experimental-require-module'] : [];

/** Runs a program that cannot require ES modules, and returns what it prints. */
const run = (code) => JSON.parse(execFileSync(process.execPath, [...flags, '--input-type=commonjs', '-e', code], { cwd: root, encoding: 'utf8' }));

describe('a program that says require', () => {
  it('gets every entry, with types', () => {
    for (const [path, conditions] of Object.entries(exports)) {
      if (typeof conditions === 'string') continue;
      const names = run(`console.log(JSON.stringify(Object.keys(require('@switchboard/client${path.slice(1)}'))))`);
      assert.ok(names.length > 0, path);
      for (const file of Object.values(conditions).flatMap(Object.values)) assert.ok(readFileSync(new URL(`../${file}`, import.meta.url), 'utf8').length > 0, file);
    }
  });

  it('gets one class of errors, whatever entries it uses, and the same names as an ES module', async () => {
    const [same, names] = run(`
      const { SwitchboardError, ...rest } = require('@switchboard/client');
      const react = require('@switchboard/client/react');
      const react2 = require('react');
      let hook;
      const { renderToString } = require('react-dom/server');
      const Room = () => { hook = react.useChannel(null); return null; };
      renderToString(react2.createElement(react.SwitchboardProvider, { url: '/ws' }, react2.createElement(Room)));
      hook.publish(1).catch((error) => console.log(JSON.stringify([error instanceof SwitchboardError, ['SwitchboardError', ...Object.keys(rest)].sort()])));
    `);
    assert.equal(same, true);
    assert.deepEqual(names, Object.keys(await import('../dist/index.js')).sort());
  });

  it('needs no global beyond those of a page in Jest: no TextEncoder, no WebSocket', () => {
    const [sent, seq] = run(`
      delete globalThis.TextEncoder;
      delete globalThis.WebSocket;
      const { Switchboard } = require('@switchboard/client');
      let socket;
      class Fake { sent = []; constructor(url, protocols) { socket = this; this.protocols = protocols; } send(text) { this.sent.push(JSON.parse(text)); } close() {} }
      const client = new Switchboard('ws://host/ws', { webSocket: Fake, getToken: () => 'tök' });
      setTimeout(() => {
        socket.onopen();
        socket.onmessage({ data: '{"type":"welcome"}' });
        client.publish('a', 'hü').then((seq) => { client.close(); console.log(JSON.stringify([[...socket.protocols, socket.sent[0].content], seq])); });
        socket.onmessage({ data: '{"type":"ack","id":1,"seq":4}' });
      });
    `);
    assert.deepEqual([sent, seq], [['switchboard.v1.json', `base64url.bearer.switchboard.${Buffer.from('tök').toString('base64url')}`, 'hü'], 4]);
  });
});
