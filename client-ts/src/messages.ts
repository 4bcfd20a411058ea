import { Id, type Channels } from './channels.js';
import type { Context } from './context.js';
import type { Frame } from './events.js';
import { position } from './place.js';
import { add, type Item } from './queue.js';
import { fail, remember, request, type Requests } from './requests.js';

const enum Size {
  /** The most bytes that `again` adds to a message. */
  Again = 25,
}

/** The messages that wait, for a connection or for their channel. */
export interface Messages {
  /** In the order in which they were handed in. */
  _held: Item[];
  /** The largest message that the server accepts. */
  _maxBytes: number;
}

type Machine = Messages & Requests & Channels & Context;

export function hold(m: Machine, item: Item): void { for (const one of add(m._held, item, m)) drop(m, one, 'queue_full'); }

export function flush(m: Machine, which: (item: Item) => boolean): void { for (const item of takeHeld(m, which)) transmit(m, item); }

export function reject(m: Machine, which: (item: Item) => boolean, code: string): void { for (const item of takeHeld(m, which)) drop(m, item, code); }

/** Fails a message that is not in flight. If it was sent before, its fate is unknown. */
export function drop(m: Machine, { id, since }: Item, code: string): void { fail(m, id, since ? 'unconfirmed' : code); }

function takeHeld(m: Messages, which: (item: Item) => boolean): Item[] {
  const taken = m._held.filter(which);
  m._held = m._held.filter((item) => !which(item));
  return taken;
}

/** Matches the messages to a channel. */
export function to(name: string) { return ({ frame }: Item): boolean => frame.channel === name; }

/** Sends what waited for a channel: first the messages whose answer is unknown, if the server can tell. */
export function flushChannel(m: Machine, name: string, isRecovered: boolean): void {
  const { epoch } = m._channels.get(name)!;
  reject(m, (item) => to(name)(item) && !!item.since && !(isRecovered && item.since.epoch === epoch), 'unconfirmed');
  flush(m, to(name));
}

/** Whether a message has to wait until its channel is entered. */
export function isEarly(m: Channels, { channel: name }: Frame): boolean {
  const channel = m._channels.get(name);
  return !!channel && !channel._active && channel.id !== Id.Refused;
}

export function transmit(m: Machine, item: Item): void {
  const { id, frame, bytes, since } = item;
  if (bytes + (since ? Size.Again : 0) > m._maxBytes) return drop(m, item, 'too_large');
  request(m, id, { ...frame, again: since?.seq });
  const channel = m._channels.get(frame.channel);
  if (!item.queue || !channel?._active) return;
  item.since ??= position(channel);
  if (item.since) remember(m, item);
}
