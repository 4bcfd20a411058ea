import type { Frame } from './frame.js';

/** The users in a channel, as far as the server reports them. */
export interface Presence<Info = unknown> {
  /** The number of users. */
  readonly count: number;
  /** The known names. */
  readonly users: readonly string[];
  /** Whether `users` is complete. */
  readonly complete: boolean;
  /** What the application tells of the known users, by name; without a prototype, since the names come from elsewhere. */
  readonly info: Readonly<Record<string, Info>>;
}

/** Applies a `presence` of the server. */
export function merge(before: Presence | undefined, { count, users, joined, left, info }: Frame): Presence {
  const names = new Set<string>(users ? list(users) : before?.users);
  const infos: Record<string, unknown> = { __proto__: null, ...(!users && before?.info), ...info };
  for (const name of list(joined)) names.add(name);
  for (const name of list(left)) {
    names.delete(name);
    delete infos[name];
  }
  // If only the count is sent, the names are unknown.
  return { count, users: [...names], complete: names.size === count && !!(users || ((joined || left || info) && before?.complete)), info: infos };
}

function list(names: unknown): string[] { return Array.isArray(names) ? names as string[] : []; }
