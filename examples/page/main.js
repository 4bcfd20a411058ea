// @ts-check
/** Puts the parts of the page together. */

import { Chat } from './chat.js';
import { $, setText } from './elements.js';
import { JoinForm, showOnJoin } from './join.js';
import { visit } from './memory.js';
import { Route } from './route.js';
import { ServerPanel } from './server.js';
import { StatsPoller } from './statistics.js';
import { Theme } from './theme.js';

/** Lets others follow: copies the room's address, without a name. @param {() => string} room */
function bindCopyLink(room) {
  const copy = $('copy-link');
  copy.hidden = !navigator.clipboard;
  copy.addEventListener('click', async () => {
    const link = `${location.origin}${location.pathname}?room=${encodeURIComponent(room())}`;
    try {
      await navigator.clipboard.writeText(link);
      setText($('announcer'), 'Link copied.');
      copy.classList.add('done');
      setTimeout(() => copy.classList.remove('done'), 1_500);
    } catch {
      prompt('The address of this room:', link);
    }
  });
}

function main() {
  new Theme();
  const panel = new ServerPanel();
  const poller = new StatsPoller((it) => {
    panel.show(it, chat.rtt);
    showOnJoin(it);
  });
  let who = { name: '', room: '', token: '' };
  /** Whether the first room takes the place of the first screen, which was not shown. */
  let replace = true;
  const chat = new Chat(poller, {
    onShow: (room, rooms) => {
      who = { ...who, room };
      // A token is not kept, so that a reload cannot come back with one.
      visit.remember(who.token ? [] : rooms);
      route.enter(room, { name: who.name, replace });
      replace = false;
    },
    onLeft: () => {
      route.leave();
      show('join');
    },
  });
  const form = new JoinForm((joining) => {
    who = joining;
    show('chat');
    chat.enter({ ...who, rooms: [...visit.reloaded().filter((room) => room !== who.room), who.room] });
  });
  const route = new Route((room) => {
    if (room === null) { if (chat.isOpen) chat.leave(); }
    else if (chat.isOpen) chat.show(room);
    else form.submit(room);
  });
  bindCopyLink(() => who.room);

  /** @param {'join' | 'chat'} screen */
  function show(screen) {
    $('join').hidden = screen !== 'join';
    $('chat').hidden = screen !== 'chat';
    if (screen === 'chat') return;
    document.title = 'Switchboard chat';
    visit.remember([]);
    form.focus();
  }

  poller.start();
  if (form.complete && form.submit()) return;
  replace = false;
  show('join');
}

main();
