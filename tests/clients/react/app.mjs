// The example applications of client-ts, as built: their servers, and pages of theirs.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { freePort } from '../node/ports.mjs';
import { chat } from '../node/server.mjs';
import { until } from '../node/wait.mjs';

const EXAMPLES = fileURLToPath(new URL('../../../client-ts/examples/', import.meta.url));

const PROGRAMS = {
  vite: (port) => ['node_modules/vite/bin/vite.js', 'preview', '--host', '127.0.0.1', '--port', port, '--strictPort'],
  next: (port) => ['node_modules/next/dist/bin/next', 'start', '--hostname', '127.0.0.1', '--port', port],
};
const SERVER = {
  vite: (server) => `http://${server.host}`,
  next: (server) => `ws://${server.host}/ws`,
};

/** Runs one of them, with a chat server that takes its pages; both are gone after the test. */
export async function run(t, name) {
  // The chat has to know the application's origin, and the application the chat's.
  const port = await freePort();
  const origin = `http://127.0.0.1:${port}`;
  const server = await chat(t, '--origin', origin);
  const program = spawn(process.execPath, PROGRAMS[name](String(port)), {
    cwd: EXAMPLES + name,
    env: { ...process.env, SWITCHBOARD: SERVER[name](server), NEXT_TELEMETRY_DISABLED: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let told = '';
  for (const output of [program.stdout, program.stderr]) output.setEncoding('utf8').on('data', (text) => (told += text));
  const ended = once(program, 'close');
  t.after(() => {
    program.kill('SIGKILL');
    return ended;
  });
  const answers = async () => {
    if (program.exitCode !== null) throw new Error(`${name} has ended: ${told}`);
    return fetch(origin).then(({ ok }) => ok, () => false);
  };
  await until(answers, () => `an answer of ${name}: ${told}`, 60_000);
  return { origin, server };
}

/** A window of somebody who has signed in. */
export class Window {
  /** What the page's code broke, and what the console was told of errors and warnings. */
  broken = [];

  static async open(t, browser, origin, name) {
    const context = await browser.newContext({ viewport: { width: 720, height: 560 } });
    t.after(() => context.close());
    const opened = new Window();
    opened.context = context;
    opened.page = await context.newPage();
    opened.page.on('pageerror', (error) => opened.broken.push(error.message));
    opened.page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) opened.broken.push(message.text());
    });
    await opened.page.goto(origin);
    if (name) await opened.signsIn(name);
    return opened;
  }

  async signsIn(name) {
    await this.page.locator('input[name=name]').fill(name);
    await this.page.keyboard.press('Enter');
  }

  async says(text) {
    await this.page.locator('input[name=text]').fill(text);
    await this.page.keyboard.press('Enter');
  }

  /** Waits until an element has these words. */
  async shows(selector, words) {
    let last;
    const fits = async () => (last = await this.page.locator(selector).allInnerTexts()).join('\n').includes(words);
    await until(fits, () => `${JSON.stringify(words)} in ${selector}, not ${JSON.stringify(last)}`);
  }

  /** Waits until the list has these lines and no others. */
  async lists(...lines) {
    let last;
    const fits = async () => JSON.stringify((last = await this.page.locator('li').allInnerTexts())) === JSON.stringify(lines);
    await until(fits, () => `the lines ${JSON.stringify(lines)}, not ${JSON.stringify(last)}`);
  }

  /** Keeps a picture where SWITCHBOARD_SCREENSHOTS names a folder. */
  async picture(name) {
    const folder = process.env.SWITCHBOARD_SCREENSHOTS;
    if (folder) await this.page.screenshot({ path: `${folder}/react-${name}.png` });
  }
}
