/**
 * The client's decisions: reconnecting, the order of messages, and detecting losses. Events go in with
 * the time, actions come out; there are no timers and no sockets here. `tests/vectors/README.md` specifies
 * the same for implementations in other languages.
 *
 * All times and durations are milliseconds of one monotonic clock.
 */

// Imports and calls between the files of the machine point downwards:
//
//   machine                        events as data, as the vectors have them
//   commands, receive              what the application, the clock and the page do; what the server does
//   attempts                       connections
//   messages                       what waits
//   requests                       what was sent
//   channels, liveness             what is known of channels and of the server
//   queue, place, presence, delay, verdict   rules without a state of their own
//   context, events                what they consist of

import { cancel, closed, deadline, gotToken, join, measure, misused, newMachine, noToken, offline, online, opened, part, post, start, startOver, stop, suspend, tick, wake } from './commands.js';
import type { Machine as Parts } from './attempts.js';
import type { Action, Config, Event } from './events.js';
import { receive } from './receive.js';

export interface Machine {
  /** Handles an event that happens now, and returns the resulting actions in order. */
  handle: (now: number, event: Event) => Action[];
  /** The `id` of the next `publish`, `direct` or `call`. */
  nextId: () => number;
  /** When a `tick` is due; `Infinity` for never. */
  deadline: () => number;
}

/** The machine for those who have events as data. The transport calls the functions instead. */
export function createMachine(options: Partial<Config> = {}): Machine {
  const m = newMachine(options);
  return {
    handle: (now, event) => {
      m._now = now;
      m._actions = [];
      happen(m, event);
      return m._actions;
    },
    nextId: () => m._nextId,
    deadline: () => deadline(m),
  };
}

function happen(m: Parts, event: Event): void {
  switch (event.type) {
    case 'start': return start(m);
    case 'stop': return stop(m);
    case 'reconnect': return startOver(m);
    case 'token': return gotToken(m, event.expires);
    case 'token_failed': return noToken(m, event.final);
    case 'opened': return opened(m);
    case 'misused': return misused(m);
    case 'closed': return closed(m, event.code, event.reason);
    case 'message': return receive(m, event.frame);
    case 'tick': return tick(m);
    case 'online': return online(m);
    case 'offline': return offline(m);
    case 'suspend': return suspend(m);
    case 'visible': case 'resume': return wake(m);
    case 'hidden': return;
    case 'ping': return measure(m);
    case 'subscribe': return join(m, event.channel, event.since, event.last);
    case 'unsubscribe': return part(m, event.channel);
    case 'publish': case 'direct': case 'call': return post(m, event);
    case 'cancel': return cancel(m, event.id);
  }
}
