import type { Config, Frame } from './events.js';
import type { Position } from './place.js';

/** A message. */
export interface Item {
  id: number;
  frame: Frame;
  bytes: number;
  /** Whether it may wait for a connection. */
  queue: boolean;
  /** When it was handed in. */
  at: number;
  /** The channel's position when it was first sent, where the channel has history. */
  since?: Position | undefined;
}

/** Adds an item, in the order in which all were handed in. Takes out what exceeds the limits: the oldest ones, or the item if it never fits. */
export function add(items: Item[], item: Item, { count, bytes }: Config): Item[] {
  if (item.bytes > bytes || !count) return [item];
  items.push(item);
  items.sort((a, b) => a.id - b.id);
  let first = items.length;
  for (let sum = 0; first && items.length - first < count && (sum += items[first - 1]!.bytes) <= bytes;) first -= 1;
  return items.splice(0, first);
}
