// A tab of Chromium, driven by its own protocol. Playwright keeps its tabs visible, so that none can be frozen, and does
// not follow a page that comes out of the back/forward cache; this tab it knows nothing of.

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { until } from '../node/wait.mjs';

const CLIENT = readFileSync(new URL('../../../examples/page/switchboard.js', import.meta.url));

/** Serves pages without a policy, which the browser may keep, and the client as `/switchboard.js`. */
async function pages(t) {
  const listener = http.createServer(({ url }, response) => {
    const isClient = url === '/switchboard.js';
    response.setHeader('Content-Type', isClient ? 'text/javascript' : 'text/html').end(isClient ? CLIENT : '<!doctype html>');
  }).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  t.after(() => {
    listener.close();
    listener.closeAllConnections();
  });
  return `http://127.0.0.1:${listener.address().port}`;
}

export async function openTab(t, browser) {
  const devtools = await browser.newBrowserCDPSession();
  const origin = await pages(t);
  const { browserContextId } = await devtools.send('Target.createBrowserContext');
  // The browser may be gone before.
  t.after(() => devtools.send('Target.disposeBrowserContext', { browserContextId }).catch(() => {}));
  const { targetId } = await devtools.send('Target.createTarget', { url: `${origin}/`, browserContextId });
  const { sessionId } = await devtools.send('Target.attachToTarget', { targetId, flatten: false });
  const tab = new Tab(origin, (message) => devtools.send('Target.sendMessageToTarget', { sessionId, message }));
  devtools.on('Target.receivedMessageFromTarget', (it) => tab.hears(it));
  await tab.shows('/');
  return tab;
}

class Tab {
  #post;
  #pending = new Map();
  #asked = 0;

  constructor(origin, post) {
    this.origin = origin;
    this.#post = post;
  }

  hears({ message }) {
    const { id, result, error } = JSON.parse(message);
    const answer = this.#pending.get(id);
    this.#pending.delete(id);
    if (error) answer?.reject(new Error(error.message));
    else answer?.resolve(result);
  }

  send(method, params = {}) {
    const id = (this.#asked += 1);
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.#post(JSON.stringify({ id, method, params })).catch(reject);
    });
  }

  /** The value of an expression in the page that it shows. */
  async run(expression) {
    const { result, exceptionDetails } = await this.send('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  /** Waits until it shows the page of this path. */
  shows(path) {
    return until(() => this.run(`location.pathname === '${path}' && document.readyState === 'complete'`), `the page ${path}`);
  }

  async visits(path) {
    await this.send('Page.navigate', { url: this.origin + path });
    await this.shows(path);
  }

  async goesBack() {
    const { currentIndex, entries } = await this.send('Page.getNavigationHistory');
    await this.send('Page.navigateToHistoryEntry', { entryId: entries[currentIndex - 1].id });
  }
}
