import type { Machine } from './attempts.js';
import { offline, online, suspend, wake } from './commands.js';

/** Passes on the events of the page and of the network, where there are any, until aborted. */
export function watch(run: (what: (m: Machine) => void) => void): AbortController {
  const end = new AbortController();
  const { document, navigator } = globalThis as Partial<typeof globalThis>;
  const on = (target: EventTarget | undefined, name: string, what: (m: Machine) => void, when: (event: PageTransitionEvent) => boolean = () => true): void =>
    target?.addEventListener?.(name, (event) => { if (when(event as PageTransitionEvent)) run(what); }, end);
  on(globalThis, 'online', online);
  on(globalThis, 'offline', offline);
  on(globalThis, 'pageshow', wake);
  on(globalThis, 'pagehide', suspend, (event) => event.persisted);
  on(document, 'resume', wake);
  on(document, 'visibilitychange', wake, () => document!.visibilityState === 'visible');
  if (navigator?.onLine === false) run(offline);
  return end;
}
