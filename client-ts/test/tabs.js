// Tabs of one browser in one program: locks and channels between them, and tabs that end without a word.
import { AsyncLocalStorage } from 'node:async_hooks';
import { settle } from './fakes.js';

const current = new AsyncLocalStorage();

export class Browser {
  #locks = new Map();
  #channels = new Set();

  constructor() {
    const browser = this;
    globalThis.BroadcastChannel = class {
      constructor(name) {
        this.name = name;
        this.tab = current.getStore();
        browser.#channels.add(this);
      }

      postMessage(data) {
        if (!browser.#channels.has(this)) throw new Error('the channel is closed');
        for (const one of browser.#channels) {
          if (one === this || one.name !== this.name) continue;
          const copy = structuredClone(data);
          const { lost } = one.tab;
          queueMicrotask(() => { if (browser.#channels.has(one) && lost === one.tab.lost) one.tab.run(() => one.onmessage({ data: copy })); });
        }
      }

      close() { browser.#channels.delete(this); }
    };
    Object.defineProperty(globalThis, 'navigator', { configurable: true, value: { locks: { request: (...args) => browser.#request(...args) } } });
  }

  end() {
    delete globalThis.BroadcastChannel;
    delete globalThis.navigator;
  }

  open() { return new Tab(this); }

  #request(name, options, callback) {
    const tab = current.getStore();
    const lock = this.#locks.get(name) ?? { held: undefined, queue: [] };
    this.#locks.set(name, lock);
    return new Promise((resolve, reject) => {
      const one = { tab, resolve, reject, callback };
      if (options.ifAvailable) {
        if (lock.held || lock.queue.length) queueMicrotask(() => tab.run(() => resolve(callback(null))));
        else this.#grant(lock, one);
        return;
      }
      lock.queue.push(one);
      options.signal?.addEventListener('abort', () => {
        if (!lock.queue.includes(one)) return;
        lock.queue.splice(lock.queue.indexOf(one), 1);
        reject(options.signal.reason);
      });
      this.#next(lock);
    });
  }

  #next(lock) { if (!lock.held && lock.queue.length) this.#grant(lock, lock.queue.shift()); }

  #grant(lock, one) {
    lock.held = one;
    queueMicrotask(async () => {
      if (lock.held !== one) return;
      await one.tab.run(() => one.callback({}));
      one.resolve();
      this.#release(lock, one);
    });
  }

  #release(lock, one) {
    if (lock.held !== one) return;
    lock.held = undefined;
    this.#next(lock);
  }

  /** Loses the letters that are on their way to a tab. */
  drop(tab) { tab.lost += 1; }

  /** Ends a tab as a crash does. */
  crash(tab) {
    for (const channel of this.#channels) if (channel.tab === tab) this.#channels.delete(channel);
    for (const lock of this.#locks.values()) {
      lock.queue = lock.queue.filter((one) => one.tab !== tab);
      if (lock.held?.tab === tab) this.#release(lock, lock.held);
    }
  }
}

export class Tab {
  #browser;
  lost = 0;
  constructor(browser) { this.#browser = browser; }
  /** What the code of this tab does, now and later. */
  run(what) { return current.run(this, what); }
  async crash() {
    this.#browser.crash(this);
    await calm();
  }
}

/** Lets all letters arrive. */
export async function calm() { for (let i = 0; i < 10; i += 1) await settle(); }
