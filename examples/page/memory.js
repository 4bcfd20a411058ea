// @ts-check
/** What this browser remembers. */

/** Storage that may be forbidden: then nothing is remembered. */
export const memory = {
  /** @param {string} key */
  get(key) { try { return localStorage.getItem(`switchboard.${key}`) ?? ''; } catch { return ''; } },
  /** @param {string} key @param {string} value */
  set(key, value) {
    try {
      if (value) localStorage.setItem(`switchboard.${key}`, value);
      else localStorage.removeItem(`switchboard.${key}`);
    } catch { /* nothing is remembered then */ }
  },
};

/** Whether this window is in a room, so that a reload goes on there; a second window does not. */
export const visit = {
  /** @param {boolean} going */
  remember(going) {
    try {
      if (going) sessionStorage.setItem('switchboard.visit', 'yes');
      else sessionStorage.removeItem('switchboard.visit');
    } catch { /* a reload shows the first screen then */ }
  },
  wasReloaded() {
    const [navigation] = /** @type {PerformanceNavigationTiming[]} */ (performance.getEntriesByType('navigation'));
    try { return navigation?.type === 'reload' && sessionStorage.getItem('switchboard.visit') === 'yes'; } catch { return false; }
  },
};
