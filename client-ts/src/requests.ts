import { Id, seeOwn, type Channels } from './channels.js';
import { emit, Ms, NEVER, send, type Context } from './context.js';
import type { Action, Frame } from './events.js';
import { position } from './place.js';
import { add, type Item } from './queue.js';

const enum Limit {
  /** The number of finished requests that are remembered for late answers. */
  Late = 1_024,
}

/** An unanswered `subscribe`, `message`, `direct` or `call` on this connection. */
interface Request {
  _frame: Frame;
  /** Number of requests sent before it, on any connection. */
  _turn: number;
  _sent: number;
  /** Whether its result was reported. Of a late answer only the `seq` counts. */
  _told: boolean;
  /**
   * It was assumed to be the unread one of the requests before this turn. If an answer comes after all, the
   * unread one was another.
   */
  _over?: number;
}

/** The requests of this connection that await an answer. */
export interface Requests {
  /** By `id`, in the order of sending. */
  readonly _requests: Map<number, Request>;
  _turns: number;
  /** After a sleep of this host, no answer counts as late before this time. */
  _grace: number;
  /** The latest messages without an answer that can be sent again, in the order in which they were handed in. */
  _flight: Item[];
  /** When to retry the `subscribe` messages that were rate limited. */
  _againAt: number;
}

type Machine = Requests & Channels & Context;

export function request(m: Requests & Context, id: number, frame: Frame): void {
  m._requests.set(id, { _frame: frame, _turn: m._turns++, _sent: m._now, _told: false });
  send(m, { ...frame, id });
}

/** Keeps a message that was sent, so that it can be sent again. */
export function remember(m: Requests & Context, item: Item): void { add(m._flight, item, m); }

/** Subscribes to all channels that were not requested yet on this connection. */
export function enterChannels(m: Machine): void {
  for (const [name, channel] of m._channels) {
    if (channel.id !== Id.Unasked || channel._active) continue;
    request(m, channel.id = m._nextId++, { type: 'subscribe', channel: name, since: position(channel), last: channel.epoch ? undefined : channel.last });
  }
}

/** Whether this is the pending `subscribe` of a channel. */
function isSubscribe(m: Requests & Channels, id: number): boolean { return m._channels.get(m._requests.get(id)?._frame.channel)?.id === id; }

/** Handles an `ack` or a `result`. */
export function acknowledged(m: Machine, { type, id, seq, delivered, content }: Frame): void {
  const request = m._requests.get(id);
  if (!request || (request._frame.type === 'call') !== (type === 'result') || isSubscribe(m, id)) return;
  if (!request._told) settle(m, { type: 'done', id, value: type === 'ack' ? seq ?? delivered ?? 0 : content });
  answered(m, id);
  seeOwn(m, request._frame, seq);
}

/**
 * Forgets a request that is answered. If it was assumed to be the unread one, the unread one came after it: the server
 * may report that while it still handles an earlier request.
 */
export function answered(m: Machine, id: number): void {
  const over = m._requests.get(id)?._over;
  m._requests.delete(id);
  if (over) notRead(m, over);
}

/** Handles an error. On a message that was sent before, only `forbidden` tells that it never arrived. */
export function refuse(m: Requests & Context, id: number, code: string, frame: Frame | undefined): void {
  if (m._requests.get(id)!._frame.again === undefined || code === 'forbidden') fail(m, id, code, frame);
  else fail(m, id, 'unconfirmed');
}

/** The server discarded a request unread and cannot name it: answers come in order, so it was the oldest before this turn. */
export function notRead(m: Machine, before: number, frame?: Frame): void {
  for (const [id, request] of m._requests) if (!request._over && request._turn < before) {
    const told = request._told;
    request._told = true;
    request._over = before;
    if (isSubscribe(m, id)) {
      m._channels.get(request._frame.channel)!.id = Id.Unasked;
      m._againAt = m._now + (frame?.retry_after_ms > 0 ? +frame!.retry_after_ms : Ms.Again);
    } else if (!told) refuse(m, id, 'rate_limited', frame);
    return forgetLate(m);
  }
}

export function fail(m: Requests & Context, id: number, code: string, frame?: Frame): void { settle(m, { type: 'failed', id, code, frame }); }

function settle(m: Requests & Context, end: Action & { id: number }): void {
  m._flight = m._flight.filter(({ id }) => id !== end.id);
  emit(m, end);
}

/** Forgets the connection. Fails its messages, except those that it returns, which may be sent again. */
export function endRequests(m: Machine): Item[] {
  const kept = m._flight.filter(({ frame }) => m._channels.has(frame.channel));
  m._flight = [];
  m._againAt = NEVER;
  for (const [id, { _told }] of m._requests) if (!_told && !isSubscribe(m, id) && !kept.some((item) => item.id === id)) fail(m, id, 'unconfirmed');
  m._requests.clear();
  return kept;
}

/** Retries the subscriptions that were rate limited, when that is due. */
export function retry(m: Machine): void {
  if (m._againAt > m._now) return;
  m._againAt = NEVER;
  enterChannels(m);
}

/** Reports the requests whose answer is late. */
export function reportLate(m: Machine): void {
  const now = m._now;
  for (const [id, request] of m._requests) {
    const by = answerBy(m);
    if (by > now) break;
    if (now - by > Ms.Stall) {
      // This host slept: the answer may have arrived unread.
      m._grace = now + Ms.Probe;
      break;
    }
    if (request._told) continue;
    request._told = true;
    if (isSubscribe(m, id)) emit(m, { type: 'unanswered', channel: request._frame.channel });
    else fail(m, id, 'timeout');
  }
  forgetLate(m);
}

/** When the oldest unanswered request times out. */
export function answerBy(m: Requests & Context): number {
  for (const { _told, _sent } of m._requests.values()) if (!_told) return Math.max(_sent + m.request, m._grace);
  return NEVER;
}

/** Bounds the memory for requests that are never answered. */
function forgetLate(m: Machine): void {
  let left = -Limit.Late;
  for (const { _told } of m._requests.values()) left += +_told;
  for (const [id, request] of m._requests) if (left > 0 && request._told && !isSubscribe(m, id)) {
    m._requests.delete(id);
    left -= 1;
  }
}
