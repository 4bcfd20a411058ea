import type { Event } from './events.js';

/** Passes on the events of the page and of the network, where there are any, until aborted. */
export function watch(run: (event: Event) => void): AbortController {
  const end = new AbortController();
  const { document, navigator } = globalThis as Partial<typeof globalThis>;
  const on = (target: EventTarget, name: string, type: (event: PageTransitionEvent) => unknown = () => name): void =>
    target.addEventListener?.(name, (event) => run({ type: type(event as PageTransitionEvent) } as Event), end);
  on(globalThis, 'online');
  on(globalThis, 'offline');
  on(globalThis, 'pageshow', () => 'resume');
  on(globalThis, 'pagehide', (event) => event.persisted && 'suspend');
  if (document) {
    on(document, 'resume');
    on(document, 'visibilitychange', () => document.visibilityState);
  }
  if (navigator?.onLine === false) run({ type: 'offline' });
  return end;
}
