// @ts-check
/** Puts the parts of the page together. */

import { Chat } from './chat.js';
import { $, setText } from './elements.js';
import { JoinForm, showOnJoin } from './join.js';
import { visit } from './memory.js';
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
  const chat = new Chat(poller, () => show('join'));
  const form = new JoinForm((who) => {
    room = who.room;
    // A reload comes back to this room, a token excepted. A name stays in the address only where it was given there.
    visit.remember(who.token === '');
    const query = new URLSearchParams(location.search);
    query.set('room', who.room);
    if (query.has('name')) query.set('name', who.name);
    history.replaceState(null, '', `${location.pathname}?${query}`);
    show('chat');
    chat.enter(who);
  });
  let room = '';
  bindCopyLink(() => room);

  /** @param {'join' | 'chat'} screen */
  function show(screen) {
    $('join').hidden = screen !== 'join';
    $('chat').hidden = screen !== 'chat';
    if (screen === 'chat') return;
    document.title = 'Switchboard chat';
    visit.remember(false);
    form.focus();
  }

  poller.start();
  if (!form.complete || !form.submit()) show('join');
}

main();
