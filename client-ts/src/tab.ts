import type { Machine } from './attempts.js';
import { cancel, join, measure, part, post, start, stop } from './commands.js';
import type { Frame, Post } from './events.js';
import { createLeader, type Leader } from './leader.js';
import type { Letter, News, Use, Wish } from './letters.js';
import { advance, own, type Place, type Position } from './place.js';
import type { Presence } from './presence.js';
import { randomName } from './text.js';
import { check, type Notice, type Options, type Token, type Transport } from './transport.js';
import type { Url } from './url.js';

const enum Ms {
  /** How long the other tabs have to tell what they use, before this one connects for all. */
  Gather = 100,
}

/** A channel that this tab uses: how it begins, and what it has seen. */
interface Seen extends Use {
  place?: Place;
  /** The number that it had reached before the latest `subscribed`. */
  before?: number;
}

/** A request of this tab; `isHanded`: the leading tab has it. */
interface Pending { readonly event: Post; isHanded: boolean }

/** Carries out commands by the connection of the tab that leads, which may be this one. Tabs of the same name share one. */
export function createTab(name: () => string, address: Url, options: Options, notify: (notice: Notice) => void, warn: (error: unknown) => void): Transport {
  const tab = randomName();
  const seen = new Map<string, Seen>();
  const pending = new Map<number, Pending>();
  let nextId = 1;
  let session = randomName();
  let token: Token | undefined;
  /** Whether `token` was set while no tab led. */
  let isUntold = false;
  /** Whether the connection was stopped: by this tab, or for all. */
  let isStopped = false;
  let isIdle = true;
  /** The name that the tabs have in common. */
  let key = '';
  /** Between entering and leaving: the channel between the tabs, and what releases the locks. */
  let letters: BroadcastChannel | undefined;
  let locks = new AbortController();
  let leader = '';
  let leading: Leader | undefined;
  return { _start: connect, _run: run as Transport['_run'], _nextId: () => nextId, _isFull: () => false, _setToken: setToken };

  // What the application wants

  function connect(command: (m: Machine) => void): void {
    check(address, options.webSocket ?? globalThis.WebSocket, options.protocols ?? []);
    isStopped = isIdle = false;
    if (letters) return tell({ type: command === start ? 'start' : 'reconnect' });
    notify({ type: 'state', state: { status: 'connecting', last: null } });
    enter();
  }

  function run(command: unknown, ...args: never[]): void {
    switch (command) {
      case join: return subscribe(...args as unknown as Parameters<typeof subscribe>);
      case part: return unsubscribe(args[0] as unknown as string);
      case post: return request(args[0] as unknown as Post);
      case cancel: return giveUp(args[0] as unknown as number);
      case measure: return tell({ type: 'ping' });
      case stop: if (letters || !(isIdle || isStopped)) leave('asked');
    }
  }

  function setToken(next: Token): void {
    token = next;
    isUntold = !leader;
    tell({ type: 'token', token: next });
  }

  function subscribe(channel: string, since?: Position, last?: number): void {
    const use = seen.get(channel) ?? { channel, since, last };
    seen.set(channel, use);
    tell({ type: 'subscribe', use: wanted(use) });
  }

  function unsubscribe(channel: string): void {
    seen.delete(channel);
    tell({ type: 'unsubscribe', channel });
  }

  function request(event: Post): void {
    const id = nextId++;
    pending.set(id, { event, isHanded: false });
    if (isStopped) fail(id, 'stopped');
    else if (leader) hand(id);
    else if (event.queue === false || (event.type === 'publish' && event.volatile)) fail(id, 'not_connected');
  }

  function hand(id: number): void {
    const one = pending.get(id)!;
    if (one.isHanded) return;
    one.isHanded = true;
    tell({ type: 'post', id, event: one.event });
  }

  function giveUp(id: number): void {
    if (pending.get(id)?.isHanded) tell({ type: 'cancel', id });
    else fail(id, 'aborted');
  }

  function fail(id: number, code: string): void {
    if (pending.delete(id)) notify({ type: 'failed', id, code, frame: undefined });
  }

  /** What this tab wants of a channel: everything after what it has seen. */
  function wanted({ channel, since, last, place }: Seen): Use {
    if (!place) return { channel, since, last };
    const { epoch, seq } = place;
    return { channel, since: epoch && seq >= 0 ? { epoch, seq } : undefined };
  }

  // Entering and leaving

  function enter(): void {
    const { signal } = locks = new AbortController();
    key = name();
    letters = new BroadcastChannel(key);
    letters.onmessage = ({ data }: MessageEvent<Letter>) => read(data);
    // The tab that leads learns by this lock when this one is gone.
    hold(lockOf(tab), signal, () => write('leader', { wish: { type: 'who' } }));
    // Where it is free, no other tab is there that has to tell what it uses.
    free(navigator.locks.request(key, { ifAvailable: true }, (lock) => {
      if (signal.aborted) return;
      if (!lock) return hold(key, signal, () => lead(Ms.Gather));
      lead(0);
      return until(signal);
    }));
    globalThis.addEventListener?.('pagehide', putAway, { signal });
  }

  /** Leaves the other tabs. What was handed to the one that leads has an unknown fate. */
  function leave(why: 'asked' | 'suspended'): void {
    tell({ type: 'leave' });
    leading?.end();
    letters?.close();
    locks.abort();
    letters = leading = undefined;
    leader = '';
    isStopped = why === 'asked';
    abandon();
    if (isStopped) for (const id of [...pending.keys()]) fail(id, 'stopped');
    notify({ type: 'state', state: isStopped ? { status: 'stopped', why: 'asked', last: null } : { status: 'waiting', why: 'suspended', until: null, last: null } });
  }

  /** A page that is put away must not hold up the others. */
  function putAway({ persisted }: PageTransitionEvent): void {
    leave('suspended');
    if (persisted) globalThis.addEventListener('pageshow', () => { if (!isStopped && !letters) enter(); }, { once: true });
  }

  /** Fails the requests that were handed to a tab that leads no more. */
  function abandon(): void { for (const [id, { isHanded }] of pending) if (isHanded) fail(id, 'unconfirmed'); }

  function lockOf(one: string): string { return `${key} ${one}`; }

  /** Holds a lock from when it is free. */
  function hold(lock: string, signal: AbortSignal, then: () => void): void {
    free(navigator.locks.request(lock, { signal }, () => {
      then();
      return until(signal);
    }));
  }

  // Leading

  function lead(gather: number): void {
    const { take, begin, end } = createLeader(address, { ...options, _session: session }, send, warn);
    const watched = new Set<string>();
    leading = {
      begin, end,
      take: (from, wish) => {
        take(from, wish);
        if (from === tab || watched.has(from)) return;
        watched.add(from);
        free(navigator.locks.request(lockOf(from), { signal: locks.signal }, () => {
          watched.delete(from);
          take(from, { type: 'leave' });
        }));
      },
    };
    if (token !== undefined) take(tab, { type: 'token', token });
    send('all', { type: 'lead', session });
    if (gather) setTimeout(begin, gather);
    else begin();
  }

  function send(to: string, news: News): void {
    if (to !== tab) write(to, { news });
    if (to === tab || to === 'all') hear(tab, news);
  }

  function write(to: string, content: Pick<Letter, 'wish' | 'news'>): void { letters?.postMessage({ from: tab, to, ...content } satisfies Letter); }

  function read({ from, to, wish, news }: Letter): void {
    if (wish && leading) {
      if (wish.type === 'who') send(from, { type: 'lead', session });
      else leading.take(from, wish);
    }
    if (news && (to === tab || to === 'all')) hear(from, news);
  }

  /** Tells the tab that leads, if there is one: the next one is told everything by `hello`. */
  function tell(wish: Wish): void {
    if (leading) leading.take(tab, wish);
    else if (leader) write('leader', { wish });
  }

  // What the tab that leads tells

  function hear(from: string, news: News): void {
    switch (news.type) {
      case 'lead': return follow(from, news.session);
      case 'again': {
        const one = pending.get(news.id);
        if (one) one.isHanded = false;
        return;
      }
      case 'notice': take(news.notice, !!news.isOwn);
    }
  }

  /** Another tab leads from now on. */
  function follow(next: string, its: string): void {
    if (leader === next) return;
    leader = next;
    session = its;
    abandon();
    if (isUntold) tell({ type: 'token', token: token! });
    isUntold = false;
    tell({ type: 'hello', uses: [...seen.values()].map(wanted), isWanted: !isStopped });
    for (const id of pending.keys()) hand(id);
  }

  /** Takes a notice of the connection, as far as it is about this tab. */
  function take(notice: Notice, isOwn: boolean): void {
    switch (notice.type) {
      case 'done': case 'failed': return answer(notice);
      case 'state': isStopped = notice.state.status === 'stopped'; break;
      case 'deliver': {
        const { frame, presence } = notice;
        const use = seen.get(frame.channel);
        if (frame.channel !== undefined && !(use && isNews(use, frame, isOwn))) return;
        notice = { type: 'deliver', frame, presence: presence && plain(presence) };
        break;
      }
      case 'gap': {
        const clipped = clip(notice);
        if (!clipped) return;
        notice = clipped;
        break;
      }
      case 'entered': notice = { ...notice, presence: notice.presence && plain(notice.presence) };
    }
    if ('channel' in notice && !seen.has(notice.channel)) return;
    notify(notice);
  }

  function answer(notice: Notice & { type: 'done' | 'failed' }): void {
    const event = pending.get(notice.id)?.event;
    if (!pending.delete(notice.id)) return;
    // With `echo` the message itself comes too.
    const place = event?.type === 'publish' && !event.echo ? seen.get(event.channel)?.place : undefined;
    if (place && notice.type === 'done' && notice.value) own(place, notice.value as number, ignore);
    notify(notice);
  }

  /** Accounts for a message of a channel. Returns whether this tab has not had it: a new connection may begin before where this tab is. */
  function isNews(use: Seen, { type, seq, epoch, first, keep, recovered }: Frame, isOwn: boolean): boolean {
    const { place } = use;
    if (type === 'subscribed') {
      use.before = place?.epoch === epoch ? place!.seq : undefined as never;
      if (place?.epoch === epoch && recovered === true) place!.first = first;
      else use.place = { epoch, seq, first, keep, _own: new Set(), _fresh: first !== undefined };
      return true;
    }
    if (type !== 'message' || !place || !(seq >= 0)) return true;
    if (isOwn) {
      own(place, seq, ignore);
      return true;
    }
    const isNew = !place._own.has(seq) && advance(place, seq, seq, seq, ignore);
    return isNew || place.first === undefined;
  }

  /** Leaves of a gap what this tab has not had. */
  function clip(gap: Notice & { type: 'gap' }): Notice | undefined {
    const { place, before } = seen.get(gap.channel) ?? {};
    const reached = gap.away ? before : place?.seq;
    const from = Math.max(gap.from, (reached ?? -1) + 1);
    if (place && !gap.away) advance(place, from, gap.to + 1, gap.to, ignore);
    return from <= gap.to ? { ...gap, from } : undefined;
  }
}

/** Names that come from elsewhere are looked up in an object without a prototype, which a copy from another tab has. */
function plain(presence: Presence): Presence { return { ...presence, info: { __proto__: null, ...presence.info } }; }

function ignore(): void { /* What was lost is told by the notices. */ }

/** Ends when the signal is aborted. */
function until(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => { signal.addEventListener('abort', () => resolve()); });
}

/** A lock that is waited for no more is no error. */
function free(lock: Promise<unknown>): void { lock.catch(() => {}); }
