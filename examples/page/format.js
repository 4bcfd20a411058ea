// @ts-check
/** Numbers, sizes and times as text. */

export const plural = (/** @type {number} */ n, /** @type {string} */ one, many = `${one}s`) => `${n.toLocaleString('en')} ${n === 1 ? one : many}`;

/** @param {number} ms */
export function formatMs(ms) {
  if (!Number.isFinite(ms)) return '–';
  if (ms >= 10_000) return `${Math.round(ms / 1000)} s`;
  if (ms >= 1_000) return `${(ms / 1000).toFixed(1)} s`;
  return ms < 10 ? `${ms.toFixed(1)} ms` : `${Math.round(ms)} ms`;
}

/** @param {unknown} n */
export function formatCount(n) {
  if (typeof n !== 'number' || !Number.isFinite(n)) return '–';
  if (n < 100_000) return n.toLocaleString('en');
  return new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 }).format(n);
}

/** @param {unknown} n */
export function formatBytes(n) {
  if (typeof n !== 'number' || !Number.isFinite(n)) return '–';
  if (n < 1024) return `${n} B`;
  return n < 1024 ** 2 ? `${(n / 1024).toFixed(1)} KiB` : `${(n / 1024 ** 2).toFixed(1)} MiB`;
}

/** @param {unknown} s */
export function formatSpan(s) {
  if (typeof s !== 'number' || !Number.isFinite(s)) return '–';
  const [d, h, m] = [Math.floor(s / 86_400), Math.floor(s / 3600) % 24, Math.floor(s / 60) % 60];
  if (d) return `${d} d ${h} h`;
  if (h) return `${h} h ${m} min`;
  return m ? `${m} min ${Math.floor(s % 60)} s` : `${Math.floor(s)} s`;
}

/** Counts by reason: the sum and, where there are few, what for. @param {unknown} counts */
export function formatReasons(counts) {
  if (!counts || typeof counts !== 'object') return '–';
  const entries = Object.entries(counts).filter(([, n]) => n > 0).sort((a, b) => b[1] - a[1]);
  const sum = entries.reduce((total, [, n]) => total + n, 0);
  const shown = entries.slice(0, 3).map(([reason, n]) => (entries.length === 1 ? '' : `${formatCount(n)} `) + reason.replaceAll('_', ' '));
  return entries.length ? `${formatCount(sum)} (${shown.join(', ')}${entries.length > 3 ? ', …' : ''})` : '0';
}

export const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });

const fullDay = new Intl.DateTimeFormat('en', { weekday: 'long', day: 'numeric', month: 'long' });

/** Names a day in this place’s time, for comparing. @param {number} at */
export function dayOf(at) {
  const date = new Date(at);
  return `${date.getFullYear()}-${date.getMonth() + 1}-${date.getDate()}`;
}

/** A day in words. @param {number} at */
export function dayWords(at) {
  const words = fullDay.format(at);
  return new Date(at).getFullYear() === new Date().getFullYear() ? words : `${words} ${new Date(at).getFullYear()}`;
}
