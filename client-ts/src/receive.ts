import { become, enter, isReady, Phase, type Machine } from './attempts.js';
import { activate, announce, Id, placeOf, see } from './channels.js';
import { emit, Ms, NEVER, send } from './context.js';
import type { Frame } from './events.js';
import { heard, pong } from './liveness.js';
import { flush, flushChannel, reject, to } from './messages.js';
import { merge } from './presence.js';
import { acknowledged, answered, enterChannels, notRead, refuse } from './requests.js';

/** Handles a message of the server. */
export function receive(m: Machine, frame: Frame | null): void {
  if (m._phase < Phase.Opened) return;
  heard(m);
  if (!frame?.type) return;
  const { channel: name, id } = frame;
  switch (frame.type) {
    case 'welcome': if (m._phase === Phase.Opened) welcomed(m, frame); return;
    case 'health_ping': return send(m, { type: 'health_pong', timestamp: frame.timestamp });
    case 'pong': return pong(m, frame.timestamp);
    case 'ack': case 'result': return acknowledged(m, frame);
    case 'subscribed': return subscribed(m, frame);
    case 'error': return refused(m, frame);
    case 'bye': m._lastBye = frame; break;
    case 'unsubscribed': {
      const channel = m._channels.get(name);
      m._lobbies.delete(name);
      // Without an `id` it is not an answer: the application removed us.
      if (channel && id === undefined) {
        channel._active = false;
        // A pending `subscribe` will still be answered.
        if (!m._requests.has(channel.id)) channel.id = Id.Refused;
      }
      break;
    }
    case 'message': {
      const place = placeOf(m, name);
      const { seq } = frame;
      // One without a number says nothing of the others.
      if (seq >= 0 && (place?._own.has(seq) || !see(m, name, seq)) && place?.first !== undefined) return;
      break;
    }
    case 'presence': {
      const place = placeOf(m, name);
      if (place) return emit(m, { type: 'deliver', frame, presence: place._presence = merge(place._presence, frame) });
      break;
    }
    case 'skip': case 'gap': {
      const { from, to } = frame;
      const isSkip = frame.type === 'skip';
      if (from <= to) see(m, name, from, isSkip ? from : to + 1, to);
      if (isSkip || m._channels.get(name)?._active) return;
    }
  }
  emit(m, { type: 'deliver', frame });
}

function welcomed(m: Machine, frame: Frame): void {
  enter(m, Phase.Ready, NEVER);
  m._stableAt = m._now + Ms.Stable;
  m._pingedAt = m._now;
  m._silence = frame.ping_ms > 0 ? +frame.ping_ms : Ms.Silence;
  m._maxBytes = frame.max_bytes || NEVER;
  become(m, { status: 'connected', welcome: frame });
  enterChannels(m);
  flush(m, ({ frame }) => !m._channels.has(frame.channel));
}

function subscribed(m: Machine, frame: Frame): void {
  const { channel: name, id } = frame;
  const channel = m._channels.get(name);
  // It never answers a message.
  if (channel?.id === id || m._requests.get(id)?._over) answered(m, id);
  // The answer to a withdrawn `subscribe` says nothing about a later one.
  if (channel && channel.id > Id.Unasked && id && channel.id !== id) return;
  emit(m, { type: 'deliver', frame });
  if (!isReady(m)) return;
  const told = id === undefined;
  if (told) announce(m, name, frame);
  // On an active channel it is a new position.
  if (channel && (told || !channel._active)) flushChannel(m, name, activate(m, name, channel, frame));
}

function refused(m: Machine, frame: Frame): void {
  const { id, code } = frame;
  const request = m._requests.get(id);
  if (!request) {
    emit(m, { type: 'deliver', frame });
    if (code === 'rate_limited') notRead(m, m._turns, frame);
    return;
  }
  const name = request._frame.channel;
  const channel = m._channels.get(name);
  if (channel?.id !== id) {
    if (!request._told) refuse(m, id, code, frame);
  } else if (code === 'already_subscribed') {
    // It was joined by the URL, so the error of the needless request is not reported.
    if (!channel!._active) {
      emit(m, { type: 'entered', channel: name, presence: m._lobbies.get(name)?._presence });
      flushChannel(m, name, activate(m, name, channel!));
    }
  } else {
    channel!.id = Id.Refused;
    emit(m, { type: 'refused', channel: name, frame });
    reject(m, to(name), code);
  }
  answered(m, id);
}
