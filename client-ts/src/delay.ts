import type { Context } from './context.js';

/** Draws a delay from 0 to a ceiling: `first`, which grows with each try up to `most`. */
export function draw(m: Context, tries: number, first: number, most: number): number {
  let ceiling = Math.min(first, most);
  for (let i = 0; i < tries; i += 1) ceiling = Math.min(most, Math.floor(ceiling * m.factor));
  // The generator splitmix32.
  let z = m.seed = (m.seed + 0x9e3779b9) >>> 0;
  z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
  z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
  return Math.floor(((z ^ (z >>> 15)) >>> 11) * (ceiling + 1) / 2 ** 21);
}
