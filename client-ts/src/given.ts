/** Returns the options that are given: `null` is none, as `undefined` is. */
export function given<T extends object>(options: T | null | undefined): Partial<T> {
  const all = { ...options } as Partial<T>;
  for (const name in all) if (all[name] == null) delete all[name];
  return all;
}
