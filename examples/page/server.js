// @ts-check
/** The panel with the figures of the server. */

import { LineChart } from './chart.js';
import { $, setText } from './elements.js';
import { clock, formatBytes, formatCount, formatMs, formatReasons, formatSpan, plural } from './format.js';
import { printable } from './names.js';

/**
 * @typedef {import('./statistics.js').Stats} Stats
 * @typedef {import('./statistics.js').StatsPoller} StatsPoller
 */

/** The figures of the server. */
export class ServerPanel {
  #panel = $('server');
  #note = $('server-note');
  #badge = $('server-badge');
  #connections = new LineChart('chart-connections', 1, 4, formatCount);
  #latency = new LineChart('chart-latency', 2, 5, formatMs);
  /** @type {{at: number, in: number, out: number} | null} */ #before = null;

  /** @param {StatsPoller} poller @param {number} ownRtt NaN while not connected */
  show(poller, ownRtt) {
    const { latest, reachable } = poller;
    const fresh = reachable === true && latest !== null;
    this.#panel.classList.toggle('stale', !fresh);
    this.#say(poller);
    this.#connections.add([fresh ? latest.total_connections : NaN]);
    this.#latency.add([ownRtt, fresh ? Number(latest.rtt_ms?.p50 ?? NaN) : NaN]);
    setText($('fig-rtt'), formatMs(ownRtt));
    if (fresh) this.#figures(latest, poller.latestAt);
    this.#describe(latest, ownRtt);
  }

  /** @param {StatsPoller} poller */
  #say({ latest, latestAt, reachable, draining }) {
    let note = '';
    if (reachable === false && latest) note = `The server gives no figures at the moment. These are from ${clock.format(latestAt)}.`;
    else if (reachable === false) note = 'The server gives no figures at the moment.';
    else if (draining) note = 'The server is draining: it takes no newcomers and sends the others away in turn, until it restarts.';
    if (!note && reachable && latest?.cluster?.up === false) note = 'This server has lost the others of its cluster.';
    setText(this.#note, note);
    this.#note.hidden = note === '';
    const badge = reachable === false ? 'no answer' : draining ? 'draining' : latest?.cluster?.up === false ? 'cut off' : '';
    setText(this.#badge, badge);
    this.#badge.hidden = badge === '';
  }

  /** @param {Stats} stats @param {number} at */
  #figures(stats, at) {
    const share = stats.max_connections > 0 ? stats.total_connections / stats.max_connections : 0;
    $('gauge-fill').style.transform = `scaleX(${Math.min(1, share)})`;
    $('gauge').classList.toggle('high', share >= 0.8 && share < 1);
    $('gauge').classList.toggle('full', share >= 1);
    setText($('fig-connections'), formatCount(stats.total_connections));
    setText($('fig-capacity'), formatCount(stats.max_connections));
    setText($('fig-p50'), formatMs(Number(stats.rtt_ms?.p50 ?? NaN)));
    setText($('fig-p99'), formatMs(Number(stats.rtt_ms?.p99 ?? NaN)));
    setText($('fig-users'), formatCount(stats.users));
    setText($('fig-rooms'), formatCount(stats.active_rooms));
    setText($('fig-in'), formatCount(stats.messages_in));
    setText($('fig-out'), formatCount(stats.messages_out));
    setText($('fig-pending'), formatCount(stats.pending_handshakes));
    setText($('fig-closing'), formatCount(stats.closing));
    setText($('fig-queued'), formatBytes(stats.queued_bytes));
    setText($('fig-refused'), formatReasons(stats.refused));
    setText($('fig-dropped'), formatReasons(stats.dropped));
    setText($('fig-uptime'), formatSpan(stats.uptime_s));
    setText($('fig-history'), formatHistory(stats.history));
    this.#cluster(stats.cluster);
    this.#rates(stats, at);
  }

  /** The node in its cluster; one that is alone says so. @param {any} cluster */
  #cluster(cluster) {
    const up = cluster?.up !== false;
    const nodes = typeof cluster?.nodes === 'number' ? cluster.nodes : Object.keys(cluster?.nodes ?? {}).length;
    setText($('fig-node'), typeof cluster?.node === 'string' ? printable(cluster.node) : cluster ? '–' : 'alone');
    const since = typeof cluster?.since_s === 'number' ? ` for ${formatSpan(cluster.since_s)}` : '';
    setText($('fig-nodes'), !cluster ? '' : up ? plural(nodes, 'node') : `cut off${since}`);
    $('fig-nodes').parentElement.hidden = !cluster;
    $('fig-nodes').classList.toggle('bad', !up);
  }

  /** @param {Stats} stats @param {number} at */
  #rates(stats, at) {
    const now = { at, in: stats.messages_in, out: stats.messages_out };
    const before = this.#before;
    this.#before = now;
    if (!before || now.at <= before.at || now.in < before.in) return;
    const seconds = (now.at - before.at) / 1000;
    for (const way of /** @type {const} */ (['in', 'out'])) {
      const rate = (now[way] - before[way]) / seconds;
      setText($(`fig-${way}-rate`), `${rate > 0 && rate < 10 ? rate.toFixed(1) : formatCount(Math.round(rate))} per second`);
    }
  }

  /** What the pictures show, for those who do not see them. @param {Stats | null} stats @param {number} ownRtt */
  #describe(stats, ownRtt) {
    if (!stats) return;
    $('gauge').setAttribute('aria-label', `${stats.total_connections} of ${stats.max_connections} connections in use`);
    $('chart-connections').setAttribute('aria-label', `Connections over the last two minutes, now ${stats.total_connections}`);
    $('chart-latency').setAttribute('aria-label', `Round-trip times over the last two minutes, yours now ${formatMs(ownRtt)}`);
  }
}

/** @param {any} history */
function formatHistory(history) {
  if (typeof history?.messages !== 'number') return '–';
  return history.messages ? `${plural(history.messages, 'message')}, ${formatBytes(history.bytes)}` : '0';
}
