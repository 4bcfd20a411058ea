// @ts-check
/** The address of the page, so that Back and Forward lead through the rooms. */

export class Route {
  /** @param {(room: string | null) => void} onMove the user went back or forward, to this room or to the first screen */
  constructor(onMove) {
    addEventListener('popstate', (event) => {
      const room = event.state?.room;
      onMove(typeof room === 'string' ? room : null);
    });
  }

  /**
   * The user is in a room. A name stays in the address only where it was given there.
   * @param {string} room
   * @param {{name: string, replace?: boolean}} how `replace`: there is nothing to go back to
   */
  enter(room, { name, replace = false }) {
    if (history.state?.room === room) return;
    const query = new URLSearchParams(location.search);
    query.set('room', room);
    if (query.has('name')) query.set('name', name);
    const address = `${location.pathname}?${query}`;
    if (replace) history.replaceState({ room }, '', address);
    else history.pushState({ room }, '', address);
  }

  /** The user is on the first screen. */
  leave() {
    if (history.state?.room !== undefined) history.pushState(null, '', location.pathname + location.search);
  }
}
