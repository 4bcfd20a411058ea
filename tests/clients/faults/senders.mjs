// The TypeScript client where it runs: in a process of Node, and in a tab of Chromium.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { device } from '../browser/pages.mjs';
import { until } from '../node/wait.mjs';
import { begin } from './sender.mjs';
import { openTab } from './tab.mjs';

/** In a process of its own, which can be stopped, and whose clock can be set. */
export async function inNode(t, network) {
  const child = fork(fileURLToPath(new URL('./sender.mjs', import.meta.url)), [`ws://${network.host}/ws`]);
  const ended = once(child, 'exit');
  t.after(() => {
    // A stopped process dies of nothing else.
    child.kill('SIGKILL');
    return ended;
  });
  const pending = new Map();
  let asked = 0;
  child.on('message', ({ id, value }) => {
    pending.get(id)(value);
    pending.delete(id);
  });
  const ask = (method, argument) => new Promise((resolve) => {
    asked += 1;
    pending.set(asked, resolve);
    child.send({ id: asked, method, argument });
  });
  return {
    publish: (content) => ask('publish', content),
    told: () => ask('told'),
    setsClock: (ahead) => ask('setsClock', ahead),
    sleeps: () => child.kill('SIGSTOP'),
    wakes: () => child.kill('SIGCONT'),
  };
}

/** In a tab of a browser. */
export async function inChromium(t, network, browser) {
  const tab = await openTab(t, browser);
  const call = (method, ...args) => tab.run(`window.sender.${method}(${args.map((it) => JSON.stringify(it)).join()})`);
  await tab.run(`import('/switchboard.js').then((client) => {
    window.sender = (${begin})(client, 'ws://${network.host}/ws', { getToken: () => 'ann' });
    window.seen = [];
    for (const [target, name] of [[document, 'freeze'], [document, 'resume'], [window, 'pagehide'], [window, 'pageshow'], [window, 'offline'], [window, 'online']]) {
      target.addEventListener(name, ({ persisted }) => window.seen.push(persisted === undefined ? name : name + ' ' + persisted));
    }
  })`);
  const sees = (...events) => until(async () => {
    const seen = await tab.run('window.seen');
    return events.every((it) => seen?.includes(it));
  }, `the events ${events}`);
  return {
    publish: (content) => call('publish', content),
    told: () => call('told'),
    setsClock: (ahead) => call('setsClock', ahead),
    async offline(offline) {
      await tab.send('Network.emulateNetworkConditions', { offline, latency: 0, downloadThroughput: -1, uploadThroughput: -1 });
      await sees(offline ? 'offline' : 'online');
    },
    slowsDown: (rate) => tab.send('Emulation.setCPUThrottlingRate', { rate }),
    freezes: () => tab.send('Page.setWebLifecycleState', { state: 'frozen' }),
    async thaws() {
      await tab.send('Page.setWebLifecycleState', { state: 'active' });
      await sees('freeze', 'resume');
    },
    leaves: () => tab.visits('/elsewhere'),
    async returns() {
      await tab.goesBack();
      // A page that was loaded again would have seen nothing.
      await sees('pagehide true', 'pageshow true');
    },
  };
}

/** In a tab of a browser on a device of its own, which can be sent to sleep. */
export async function onDevice(t, network) {
  const { browser, sleeps, wakes } = await device(t);
  return { ...await inChromium(t, network, browser), sleeps, wakes };
}
