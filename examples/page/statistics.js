// @ts-check
/** What the server says of itself, asked for again and again. */

const POLL_EVERY_MS = 2_000;
const POLL_SLOWEST_MS = 10_000;
const POLL_TIMEOUT_MS = 4_000;

/**
 * Asks for /stats.json while the page is visible; more rarely while nobody answers.
 * @typedef {Record<string, any>} Stats
 */
export class StatsPoller {
  #timer = 0;
  #running = false;
  #failures = 0;
  /** @type {Promise<void> | null} */ #asking = null;
  /** @type {Stats | null} */ latest = null;
  latestAt = 0;
  /** @type {boolean | null} whether the server answered last time; null before the first answer */
  reachable = null;
  /** When the latest finished request was sent, and when the latest answer came. */
  #askedAt = 0;
  #answeredAt = 0;

  /** @param {(poller: StatsPoller) => void} onChange */
  constructor(onChange) {
    this.onChange = onChange;
    document.addEventListener('visibilitychange', () => { if (document.visibilityState === 'visible') this.now(); });
  }

  start() {
    if (this.#running) return;
    this.#running = true;
    this.now();
  }

  /** Asks at once. */
  now() {
    if (!this.#running) return Promise.resolve();
    clearTimeout(this.#timer);
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = null;
      this.onChange(this);
      const pause = Math.min(POLL_SLOWEST_MS, POLL_EVERY_MS * 2 ** Math.max(0, this.#failures - 1));
      if (document.visibilityState === 'visible') this.#timer = setTimeout(() => this.now(), pause);
    });
    return this.#asking;
  }

  /** Asks with a request that is sent after this call: one under way says nothing of what happened since. */
  async fresh() {
    await this.#asking;
    await this.now();
  }

  /**
   * Whether the server that ran at `from` answered a request sent after `to`. An answer to an older request may
   * come from a server that has gone since, and one that started later never saw what happened before.
   * @param {number} from
   * @param {number} to
   */
  answeredAround(from, to) {
    if (!this.latest || !this.reachable || this.#askedAt < to) return false;
    // The margin is for the time that the answer travelled.
    return this.#answeredAt - this.latest.uptime_s * 1000 <= from + 100;
  }

  get draining() { return this.latest?.draining === true; }

  get full() {
    const { latest } = this;
    return latest !== null && latest.max_connections > 0 && latest.total_connections >= latest.max_connections;
  }

  async #ask() {
    const askedAt = performance.now();
    try {
      const answer = await fetch('/stats.json', { cache: 'no-store', signal: AbortSignal.timeout(POLL_TIMEOUT_MS) });
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      this.latest = await answer.json();
      this.latestAt = Date.now();
      this.#answeredAt = performance.now();
      this.reachable = true;
      this.#failures = 0;
    } catch {
      this.reachable = false;
      this.#failures += 1;
    }
    this.#askedAt = askedAt;
  }
}
