// What the main thread of a page did, as the browser's own trace tells it.

const CATEGORIES = ['devtools.timeline', 'toplevel', '__metadata'];

/** Records what a page does during some work. */
export async function traced(chromium, page, work) {
  await chromium.startTracing(page, { categories: CATEGORIES });
  await work();
  const { traceEvents } = JSON.parse((await chromium.stopTracing()).toString());
  return new Trace(traceEvents);
}

class Trace {
  #events;

  constructor(all) {
    // The thread that laid out the page is the one that the page runs on.
    const layouts = all.filter(({ name, ph }) => name === 'Layout' && ph === 'X');
    const [main] = mostFrequent(layouts.map(({ pid, tid }) => `${pid} ${tid}`));
    this.#events = all.filter(({ pid, tid, ph }) => ph === 'X' && `${pid} ${tid}` === main).sort((a, b) => a.ts - b.ts);
  }

  named(name) {
    return this.#events.filter((event) => event.name === name);
  }

  /** Those of `inner` that lie in one of `outer`. */
  within(inner, outer) {
    return inner.filter(({ ts }) => outer.some((it) => it.ts <= ts && ts < it.ts + it.dur));
  }

  /** The handlers of messages from the network, which is what the client sets as its socket's `onmessage`. */
  get handlers() {
    return this.named('FunctionCall').filter(({ args }) => args.data?.functionName === 'socket.onmessage');
  }

  /** The tasks of the main thread, which are what can hold up a frame; `tdur` is the time on a processor in microseconds. */
  get tasks() {
    return this.named('ThreadControllerImpl::RunTask');
  }
}

/** The values, the most frequent one first. */
function mostFrequent(values) {
  const counts = new Map();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts.keys()].sort((a, b) => counts.get(b) - counts.get(a));
}
