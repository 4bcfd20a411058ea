import { emit, type Context } from './context.js';
import type { Frame } from './events.js';
import { advance, own, position, type Place, type Position } from './place.js';

const enum Limit {
  /** The number of channels that are remembered without a subscription. */
  Lobbies = 1_024,
}

/** Values in place of the `id` of a `subscribe`. */
export const enum Id { Refused = -1, Unasked = 0 }

/** A subscribed channel. */
export interface Channel extends Place {
  /** The `id` of the latest `subscribe`, answered or not; or a value of `Id`. */
  id: number;
  _active: boolean;
  /** How many of the latest messages to ask for, as long as no position is known. */
  last: number | undefined;
}

/** The channels that the client is in, or wants to be in. */
export interface Channels {
  /** The subscribed ones, in that order. */
  readonly _channels: Map<string, Channel>;
  /** Those joined without `subscribe` on this connection: by the URL, or by the application. */
  readonly _lobbies: Map<string, Place>;
  /** The lobby of the URL, its position as a lobby, and whether it was announced on this connection. */
  _home?: string;
  _homePlace?: Place | undefined;
  _announced?: boolean;
}

export function subscribe(m: Channels, name: string, since: Position | undefined, last: number | undefined): void {
  const known = m._channels.get(name);
  // The URL's lobby is continued.
  const from = since ?? (name === m._home && !m._lobbies.has(name) && position(m._homePlace));
  if (!known) m._channels.set(name, { ...nowhere(), ...(from && { ...from, first: 0 }), id: Id.Unasked, _active: false, last });
  else if (known.id === Id.Refused) known.id = Id.Unasked;
}

/** Forgets a channel. Returns whether the server has the client in it, or was asked to. */
export function unsubscribe(m: Channels, name: string): boolean {
  const known = m._channels.get(name);
  if (name === m._home) m._homePlace = undefined;
  m._channels.delete(name);
  return m._lobbies.delete(name) || !!known && (known._active || known.id > Id.Unasked);
}

/** Records that the connection is in a channel without having asked. */
export function announce(m: Channels & Context, name: string, frame: Frame): void {
  const channel = m._channels.get(name);
  if (!m._announced && !channel?._active) {
    m._announced = true;
    if (name !== m._home) m._homePlace = undefined;
    m._home = name;
  }
  if (channel || (m._lobbies.size >= Limit.Lobbies && !m._lobbies.has(name))) return;
  const place = name === m._home && m._homePlace || nowhere();
  take(m, name, place, frame);
  m._lobbies.set(name, place);
  if (name === m._home) m._homePlace = place;
}

/** Activates a channel at the position of a `subscribed`, or of its lobby. Returns whether everything since the old position follows. */
export function activate(m: Channels & Context, name: string, channel: Channel, from: Partial<Frame> = m._lobbies.get(name) ?? nowhere()): boolean {
  if (!channel._active) channel._presence = m._lobbies.get(name)?._presence;
  m._lobbies.delete(name);
  channel._active = true;
  return take(m, name, channel, from);
}

/** Returns the position in the lobby of the URL, for a new connection. */
export function homePosition(m: Channels): Position | undefined { return position(m._channels.get(m._home!) ?? m._homePlace); }

/** Forgets the connection. */
export function leaveAll(m: Channels): void {
  for (const channel of m._channels.values()) {
    channel._active = false;
    channel.id = Id.Unasked;
  }
  m._lobbies.clear();
}

/** Moves a place to the position of a `subscribed` or of a lobby. Returns whether everything since the old position follows. */
function take(m: Channels & Context, name: string, place: Place, { epoch, seq, first, keep, recovered, _own }: Partial<Frame>): boolean {
  const { epoch: before } = place;
  const isSame = before === epoch;
  place.first = first ?? undefined;
  place.keep = keep;
  place._fresh = false;
  if (isSame && recovered === true) return true;
  if (before && epoch) {
    if (isSame) advance(place, seq, seq + 1, seq, lost(m, name, true));
    else if (m._channels.has(name)) emit(m, { type: 'epoch', channel: name, from: before, to: epoch });
  }
  // Own numbers do not outlive the epoch. A frame has none, whatever its fields are called.
  Object.assign(place, { epoch, seq, _fresh: place.first !== undefined, _own: _own instanceof Set ? _own : new Set() });
  return false;
}

/** Reports numbers of an active channel as not delivered. */
function lost(m: Channels & Context, channel: string, away = false) {
  return (from: number, to: number): unknown => m._channels.get(channel)?._active && emit(m, { type: 'gap', channel, from, to, away });
}

function nowhere(): Place { return { epoch: '', seq: NaN, _own: new Set(), _fresh: false }; }

/** Returns the numbers of a channel, if the connection is in it. */
export function placeOf(m: Channels, name: string | undefined): Place | undefined {
  const channel = m._channels.get(name!);
  return channel?._active ? channel : m._lobbies.get(name!);
}

/** Accounts for the numbers of a channel, as `advance` does. Returns whether any is new. */
export function see(m: Channels & Context, name: string | undefined, start: number, from = start, to = start): boolean {
  const place = placeOf(m, name);
  return !!place && advance(place, start, from, to, lost(m, name!));
}

/** Accounts for the number of an own message. */
export function seeOwn(m: Channels & Context, { channel, echo }: Frame, seq: number): void {
  const place = placeOf(m, channel);
  if (place?.first === undefined) see(m, channel, seq);
  // With `echo` the message itself comes too.
  else if (!echo) own(place, seq, lost(m, channel));
}
