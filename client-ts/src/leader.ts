import { cancel, join, measure, part, post, start, startOver, stop } from './commands.js';
import type { Frame, Post } from './events.js';
import type { News, Use, Wish } from './letters.js';
import { Room } from './room.js';
import { createTransport, type Notice, type Options } from './transport.js';
import type { Url } from './url.js';

export interface Leader {
  /** Handles the wish of a tab. Before `begin`, what the tabs use is only noted. */
  take: (tab: string, wish: Wish) => void;
  begin: () => void;
  /** Ends the connection, so that another tab can lead. */
  end: () => void;
}

/** Has the connection for all tabs. */
export function createLeader(address: Url, options: Options, send: (to: string, news: News) => void, warn: (error: unknown) => void): Leader {
  const inner = createTransport(address, options, take, warn);
  const rooms = new Map<string, Room>();
  /** Whose requests are under way, by their `id` in the connection. */
  const owners = new Map<number, { tab: string; id: number; event: Post }>();
  let state: Notice & { type: 'state' } | undefined;
  let isEnding = false;
  /** What the tabs use that tell it in time, and their other wishes. */
  const uses = new Map<string, Use>();
  let wishes: [tab: string, wish: Wish][] | undefined = [];
  let isWanted = false;
  return { take: handle, begin, end };

  function begin(): void {
    if (!wishes || isEnding) return;
    const all = wishes;
    wishes = undefined;
    for (const use of uses.values()) enter(use);
    if (isWanted) run(start);
    for (const [tab, wish] of all) handle(tab, wish);
  }

  function end(): void {
    isEnding = true;
    inner._run(stop);
  }

  function run(command: typeof start): void {
    try {
      inner._start(command);
    } catch (error) {
      warn(error);
    }
  }

  // What the tabs want

  function handle(tab: string, wish: Wish): void {
    if (wishes) {
      if (wish.type !== 'hello') {
        wishes.push([tab, wish]);
        return;
      }
      isWanted ||= wish.isWanted;
      for (const use of wish.uses) gather(tab, use);
      return;
    }
    switch (wish.type) {
      case 'hello':
        if (state) notify(tab, state);
        if (wish.isWanted) run(start);
        for (const use of wish.uses) subscribe(tab, use);
        return;
      case 'subscribe': return subscribe(tab, wish.use);
      case 'unsubscribe': return unsubscribe(tab, wish.channel);
      case 'post': return request(tab, wish.id, wish.event);
      case 'cancel':
        for (const [id, owner] of owners) if (owner.tab === tab && owner.id === wish.id) inner._run(cancel, id);
        return;
      case 'token': return inner._setToken(wish.token);
      case 'start': return run(start);
      case 'reconnect': return run(startOver);
      case 'ping': return inner._run(measure);
      case 'leave': for (const channel of rooms.keys()) unsubscribe(tab, channel);
    }
  }

  /** Recovery has to begin where the tab is that has seen least. */
  function gather(tab: string, use: Use): void {
    const { channel, since } = use;
    roomOf(channel).tabs.add(tab);
    const known = uses.get(channel)?.since;
    if (!known || (since?.epoch === known.epoch && since.seq < known.seq)) uses.set(channel, use);
  }

  function subscribe(tab: string, use: Use): void {
    const room = roomOf(use.channel);
    if (room.tabs.size && !room.tabs.has(tab)) {
      if (!room.isActive) room.late.add(tab);
      else for (const notice of room.catchUp(use)) notify(tab, notice);
    }
    room.tabs.add(tab);
    enter(use);
  }

  function enter({ channel, since, last }: Use): void { inner._run(join, channel, since, last); }

  function unsubscribe(tab: string, channel: string): void {
    const room = rooms.get(channel);
    if (!room?.tabs.delete(tab) || room.tabs.size) return;
    rooms.delete(channel);
    inner._run(part, channel);
  }

  function request(tab: string, id: number, event: Post): void {
    if (inner._isFull(event.bytes)) return notify(tab, { type: 'failed', id, code: 'queue_full', frame: undefined });
    owners.set(inner._nextId(), { tab, id, event });
    inner._run(post, event);
  }

  // What the connection notices

  function take(notice: Notice): void {
    switch (notice.type) {
      case 'done': case 'failed': return answer(notice);
      case 'state':
        state = notice;
        for (const [channel, room] of rooms) {
          room.end();
          // It was announced, and no tab wanted it.
          if (!room.tabs.size) rooms.delete(channel);
        }
        // The others hear from the next one that leads.
        if (!isEnding) notify('all', notice);
        return;
      case 'deliver': return deliver(notice);
      case 'gap': roomOf(notice.channel).lose(notice.to); break;
      case 'entered': {
        const room = roomOf(notice.channel);
        room.isActive = true;
        for (const tab of room.tabs) for (const one of room.catchUp(notice)) notify(tab, one);
        return;
      }
    }
    notify('all', notice);
  }

  function answer(notice: Notice & { type: 'done' | 'failed' }): void {
    const owner = owners.get(notice.id);
    owners.delete(notice.id);
    if (!owner) return;
    const { tab, id, event } = owner;
    // It was not sent, so that the next one that leads may send it.
    if (isEnding && notice.type === 'failed' && notice.code === 'stopped') return send(tab, { type: 'again', id });
    notify(tab, { ...notice, id });
    if (notice.type === 'done' && event.type === 'publish' && !event.echo) reflect(tab, event, notice.value as number);
  }

  /** Shows the other tabs a message of one tab: the server does not send it to the connection that it came from. */
  function reflect(tab: string, { channel, content, key }: Post & { type: 'publish' }, seq: number): void {
    const room = rooms.get(channel);
    if (!room) return;
    const user = state?.state.status === 'connected' ? state.state.welcome.user : undefined;
    const frame: Frame = { type: 'message', channel, content: JSON.parse(content as string), sender: user, seq: seq || undefined, key };
    room.keep(frame);
    for (const other of room.tabs) if (other !== tab) send(other, { type: 'notice', notice: { type: 'deliver', frame }, isOwn: true });
  }

  function deliver(notice: Notice & { type: 'deliver' }): void {
    const { frame, presence } = notice;
    const { type, channel, id } = frame;
    if (typeof channel !== 'string') return notify('all', notice);
    const room = type === 'subscribed' ? roomOf(channel) : rooms.get(channel);
    room?.take(frame, presence);
    if (type === 'unsubscribed' && id === undefined) room?.end();
    const late = type === 'subscribed' ? room!.late : new Set<string>();
    for (const tab of room?.tabs ?? []) notify(tab, late.has(tab) ? { ...notice, frame: { ...frame, recovered: frame.recovered === undefined ? undefined : false } } : notice);
    late.clear();
  }

  function roomOf(channel: string): Room {
    const room = rooms.get(channel) ?? new Room();
    rooms.set(channel, room);
    return room;
  }

  function notify(to: string, notice: Notice): void { send(to, { type: 'notice', notice }); }
}
