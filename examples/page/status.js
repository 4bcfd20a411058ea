// @ts-check
/** The state of the connection: a word in the bar, and a banner when there is something to explain. */

import { $, setText } from './elements.js';
import { formatMs } from './format.js';

/**
 * @typedef {import('../../client-ts/src/index.js').State} State
 * @typedef {import('./words.js').Words} Words
 */

const BANNER_DELAY_MS = 500;

/** The state of the connection: a word in the bar, and a banner when there is something to explain. */
export class StatusView {
  #pill = $('status');
  #pillText = $('status-text');
  #rtt = $('status-rtt');
  #banner = $('banner');
  #countdown = $('banner-countdown');
  #announcer = $('announcer');
  #tick = 0;
  #delay = 0;
  /** @type {State['status'] | ''} */ #announced = '';

  /** @param {{onReconnect: () => void, onLeave: () => void, onToken: (token: string) => void}} handlers */
  constructor({ onReconnect, onLeave, onToken }) {
    for (const id of ['reconnect', 'banner-reconnect']) $(id).addEventListener('click', onReconnect);
    for (const id of ['leave', 'banner-leave']) $(id).addEventListener('click', onLeave);
    $('renew').addEventListener('submit', (/** @type {Event} */ event) => {
      event.preventDefault();
      const token = $('renew-token').value.trim();
      $('renew-token').value = '';
      if (token) onToken(token);
    });
  }

  /**
   * @param {State} state
   * @param {Words | null} words
   */
  show(state, words) {
    clearInterval(this.#tick);
    this.#pill.dataset.state = state.status;
    if (state.status !== 'connected') setText(this.#rtt, '');
    this.#count(state);
    if (state.status === 'waiting') this.#tick = setInterval(() => this.#count(state), 250);
    this.#showBanner(state, words);
    this.#announce(state);
  }

  /** @param {number} ms */
  roundTrip(ms) { setText(this.#rtt, formatMs(ms)); }

  /** @param {State} state */
  #count(state) {
    if (state.status !== 'waiting') {
      setText(this.#pillText, { idle: '', connecting: 'Connecting…', connected: 'Connected', stopped: 'Stopped' }[state.status]);
      setText(this.#countdown, state.status === 'connecting' && state.last ? 'Connecting now…' : '');
      return;
    }
    const seconds = Math.max(1, Math.ceil(((state.until ?? 0) - Date.now()) / 1000));
    setText(this.#pillText, `Reconnecting in ${seconds} s`);
    const offline = state.why === 'offline' ? 'This device says it is offline. ' : '';
    setText(this.#countdown, `${offline}Trying again in ${seconds} s.`);
  }

  /** @param {State} state @param {Words | null} words */
  #showBanner(state, words) {
    const end = state.last;
    if (state.status === 'connected' || !end || !words) {
      clearTimeout(this.#delay);
      this.#delay = 0;
      this.#banner.hidden = true;
      return;
    }
    const stopped = state.status === 'stopped';
    this.#banner.dataset.tone = stopped ? 'bad' : 'wait';
    setText($('banner-title'), words.title);
    setText($('banner-text'), words.text);
    setText($('banner-advice'), words.advice);
    setText($('banner-code'), words.code ?? `close code ${end.code}${end.reason ? `, ${end.reason}` : ''}`);
    $('renew').hidden = !(stopped && (end.code === 4001 || end.code === 4202));
    setText($('banner-reconnect'), stopped ? 'Reconnect' : 'Try now');
    $('banner-reconnect').hidden = !$('renew').hidden;
    if (!this.#banner.hidden) return;
    // What mends itself within half a second is not worth a banner.
    if (stopped) this.#reveal();
    else if (!this.#delay) this.#delay = setTimeout(() => this.#reveal(), BANNER_DELAY_MS);
  }

  #reveal() {
    clearTimeout(this.#delay);
    this.#delay = 0;
    this.#banner.hidden = false;
    if (!$('renew').hidden) $('renew-token').focus();
  }

  /** @param {State} state */
  #announce({ status }) {
    if (status === this.#announced) return;
    if (status === 'connected') setText(this.#announcer, 'Connected.');
    if (status === 'connecting') setText(this.#announcer, 'Connecting.');
    this.#announced = status;
  }
}
