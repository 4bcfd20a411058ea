/** Returns the source of all random delays. Each call gives one from 0 to a ceiling: `first`, which grows with each try up to `most`. */
export function createDelays(seed: number, factor: number): (tries: number, first: number, most: number) => number {
  return (tries, first, most) => {
    let ceiling = Math.min(first, most);
    for (let i = 0; i < tries && ceiling < most; i += 1) ceiling = Math.min(most, Math.floor(ceiling * factor));
    return Math.floor((random() >>> 11) * (ceiling + 1) / 2 ** 21);
  };

  /** The generator splitmix32. */
  function random(): number {
    let z = seed = (seed + 0x9e3779b9) >>> 0;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return z ^ (z >>> 15);
  }
}
