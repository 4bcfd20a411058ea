// A headless Firefox as it is installed, driven by WebDriver BiDi: Playwright's own is another build of it.

import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import WebSocket from 'ws';
import { until } from '../node/wait.mjs';

/** It neither asks nor reports anything to anybody. */
const PREFERENCES = {
  'app.update.disabledForTesting': true,
  'browser.shell.checkDefaultBrowser': false,
  'browser.startup.page': 0,
  'datareporting.policy.dataSubmissionEnabled': false,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'toolkit.telemetry.server': '',
};

/** How long it may take to start on a busy machine. */
const STARTS_WITHIN_MS = 60_000;

/** A Firefox that ends after the test: Debian's, or the one that FIREFOX names. */
export async function firefox(t) {
  const profile = await mkdtemp(join(tmpdir(), 'switchboard-firefox-'));
  const preferences = Object.entries(PREFERENCES).map(([name, value]) => `user_pref("${name}", ${JSON.stringify(value)});\n`);
  await writeFile(join(profile, 'user.js'), preferences.join(''));
  const program = process.env.FIREFOX ?? '/usr/bin/firefox';
  const flags = ['--headless', '--no-remote', '--remote-debugging-port', '0', '--profile', profile];
  const started = spawn(program, flags, { stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = new Promise((resolve) => started.once('close', resolve));
  t.after(async () => {
    started.kill();
    await ended;
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  });
  let log = '';
  let failed = null;
  started.on('error', (error) => (failed = error));
  started.stderr.on('data', (text) => (log += text));
  const listens = () => {
    if (failed ?? started.exitCode !== null) throw failed ?? new Error(`${program} ended: ${log}`);
    return log.match(/WebDriver BiDi listening on (ws:\S+)/)?.[1];
  };
  const address = await until(listens, () => `${program} to listen: ${log}`, STARTS_WITHIN_MS);
  return Session.on(`${address}/session`);
}

class Session {
  #socket;
  #commands = 0;
  #waiting = new Map();
  #gone = null;

  static async on(address) {
    const session = new Session();
    session.#socket = new WebSocket(address);
    await new Promise((resolve, reject) => session.#socket.once('open', resolve).once('error', reject));
    session.#socket.on('message', (text) => session.#answered(JSON.parse(text)));
    session.#socket.on('close', () => session.#ended(new Error('Firefox has ended')));
    const { capabilities } = await session.asks('session.new', { capabilities: {} });
    session.version = capabilities.browserVersion;
    return session;
  }

  /** Sends a command; resolves to its result. */
  asks(method, params) {
    return new Promise((resolve, reject) => {
      if (this.#gone) return reject(this.#gone);
      const id = (this.#commands += 1);
      this.#waiting.set(id, { resolve, reject });
      this.#socket.send(JSON.stringify({ id, method, params }));
    });
  }

  /** A page that has asked for nothing yet. */
  async page() {
    const { context } = await this.asks('browsingContext.create', { type: 'tab' });
    return new Page(this, context);
  }

  #answered({ id, type, result, error, message }) {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (type === 'success') waiting?.resolve(result);
    else waiting?.reject(new Error(`${error}: ${message}`));
  }

  #ended(error) {
    this.#gone = error;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}

class Page {
  #session;
  #context;

  constructor(session, context) {
    this.#session = session;
    this.#context = context;
  }

  /** Calls a function in the page, as Playwright's pages do; values go there and back as JSON. */
  async evaluate(work, argument = null) {
    const { type, result, exceptionDetails } = await this.#session.asks('script.evaluate', {
      expression: `(async () => JSON.stringify(await (${work})(${JSON.stringify(argument)}) ?? null))()`,
      target: { context: this.#context },
      awaitPromise: true,
    });
    if (type !== 'success') throw new Error(exceptionDetails.text);
    return JSON.parse(result.value);
  }
}
