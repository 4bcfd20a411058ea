// Chat pages in a headless Chromium.

import { readFileSync, readdirSync } from 'node:fs';
import { chromium } from 'playwright-core';
import { until } from '../node/wait.mjs';

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
];

const OPTIONS = { executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: FLAGS };

/** The options of a page on a phone. */
export const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };

/** A browser: Debian's, or the one that CHROMIUM names. */
export const browser = (more = {}) => chromium.launch({ ...OPTIONS, ...more });

/** A browser on a device that can be sent to sleep. */
export async function device(t) {
  const started = await chromium.launchServer(OPTIONS);
  const { pid } = started.process();
  const signal = (name) => family(pid).forEach((it) => process.kill(it, name));
  t.after(async () => {
    signal('SIGCONT');
    await started.close();
  });
  const connected = await chromium.connect(started.wsEndpoint());
  return {
    browser: connected,
    sleeps: () => signal('SIGSTOP'),
    wakes: () => signal('SIGCONT'),
  };
}

/** A process and all that descend from it. */
function family(pid) {
  const threads = readdirSync(`/proc/${pid}/task`);
  const text = threads.map((it) => readFileSync(`/proc/${pid}/task/${it}/children`, 'utf8')).join(' ');
  const children = text.split(/\s+/).filter(Boolean).map(Number);
  return [pid, ...children.flatMap(family)];
}

/** A chat page of its own: a window of somebody else. */
export class ChatPage {
  /** Errors of the page's own code. */
  broken = [];
  /** WebSockets it has opened so far. */
  sockets = 0;

  /** A page that has asked for nothing yet, in a browser of its own. */
  static async blank(t, browser, options) {
    const context = await browser.newContext(options);
    t.after(() => context.close());
    return ChatPage.in(context);
  }

  static async in(context) {
    const opened = new ChatPage();
    opened.context = context;
    opened.page = await context.newPage();
    opened.page.on('pageerror', (error) => opened.broken.push(error.message));
    opened.page.on('websocket', () => (opened.sockets += 1));
    return opened;
  }

  /** Another tab of the same browser. */
  another() {
    return ChatPage.in(this.context);
  }

  static async open(t, browser, server, name, room = 'den', options = {}) {
    const opened = await ChatPage.blank(t, browser, options);
    await opened.visits(server, name, room);
    return opened;
  }

  static async connected(t, ...where) {
    const opened = await ChatPage.open(t, ...where);
    await opened.is('connected');
    return opened;
  }

  /** Opens the page by a link that leads into a room. */
  async visits(server, name, room) {
    const query = new URLSearchParams({ name, room });
    await this.page.goto(`http://${server.host}/?${query}`);
  }

  /** The first screen, and what it asks. */
  async joins(server, name, room) {
    await this.page.goto(`http://${server.host}/`);
    await this.page.locator('#join-name').fill(name);
    await this.page.locator('#join-room').fill(room);
    await this.page.locator('#join-form').press('Enter');
  }

  /** Goes to a room of the list, which it joins where that is not so yet. */
  async goes(room) {
    const known = this.page.locator('#rooms-list .room-name', { has: this.page.locator('.room-text', { hasText: room }) });
    if (await known.count()) await known.click();
    else {
      await this.page.locator('#rooms-new').fill(room);
      await this.page.keyboard.press('Enter');
    }
    await this.isIn(room);
  }

  /** Waits until a room is on the screen. */
  async isIn(room) {
    await until(async () => (await this.text('#room-title')) === room, `the room ${room}`);
  }

  /** What the log shows of messages: those of others and own ones alike, in order. */
  texts() {
    return this.page.locator('#log .bubble').allInnerTexts();
  }

  /** Waits until the log shows these messages and no others. */
  async tells(...texts) {
    let last;
    const fits = async () => JSON.stringify((last = await this.texts())) === JSON.stringify(texts);
    await until(fits, () => `the messages ${JSON.stringify(texts)}, not ${JSON.stringify(last)}`);
  }

  text(selector) {
    return this.page.locator(selector).innerText();
  }

  /** Waits for a state of the connection, as the page shows it. */
  async is(state, milliseconds = 20_000) {
    const shown = () => this.page.locator('#status').getAttribute('data-state');
    let last;
    const fits = async () => (last = await shown()) === state;
    await until(fits, () => `the state ${state}, not ${last}`, milliseconds);
  }

  /** Keeps each title that the banner shows from now on. */
  recordsTitles() {
    return this.page.evaluate(() => {
      const title = document.getElementById('banner-title');
      window.titles = [];
      new MutationObserver(() => window.titles.push(title.textContent)).observe(title, { childList: true, characterData: true, subtree: true });
    });
  }

  titles() {
    return this.page.evaluate(() => window.titles);
  }

  /** Whether the newest entry of the log is in view. */
  atBottom() {
    return this.page.locator('#log').evaluate((it) => it.scrollHeight > it.clientHeight && it.scrollHeight - it.scrollTop - it.clientHeight < 4);
  }

  /** Waits for the words of the banner. */
  async says(title) {
    let last;
    const fits = async () => (last = await this.text('#banner-title')) === title;
    await until(fits, () => `the banner ${JSON.stringify(title)}, not ${JSON.stringify(last)}`);
  }

  /** Waits for a line in the log: it stays there, where the banner may change already. */
  async notes(words) {
    const line = this.page.locator('#log .notice', { hasText: words });
    await until(async () => (await line.count()) > 0, `the line ${JSON.stringify(words)}`);
  }

  async hears(sender, text) {
    const bubble = this.page.locator('#log .entry', { hasText: sender }).locator('.bubble');
    const texts = () => bubble.allInnerTexts();
    await until(async () => (await texts()).includes(text), `${sender}: ${text}`);
  }

  async write(text) {
    await this.page.locator('#composer-text').fill(text);
    await this.page.keyboard.press('Enter');
  }

  /** Waits until the list of people holds these names and no others. */
  async shows(...names) {
    let last;
    const fits = async () => {
      last = await this.page.locator('#people-list .person-name').allInnerTexts();
      return JSON.stringify([...last].sort()) === JSON.stringify([...names].sort());
    };
    await until(fits, () => `people ${names}, not ${last}`);
  }
}
