// A WebSocket that does what the test says, in time that passes when the test says so.
import { mock } from 'node:test';

export class FakeSocket {
  static all = [];
  static get last() { return FakeSocket.all.at(-1); }

  sent = [];
  closed = null;

  constructor(url, protocols) {
    this.address = url;
    // Another one for each client.
    this.session = new URL(url).searchParams.get('session');
    this.url = url.replace(/([?&])session=[^&]*(&|$)/, (_, before, after) => after && before);
    this.protocols = protocols;
    FakeSocket.all.push(this);
  }

  send(text) { this.sent.push(JSON.parse(text)); }
  close(code, reason) { this.closed = { code, reason }; }

  open() { this.onopen?.({}); return this; }
  receive(frame) { this.onmessage?.({ data: typeof frame === 'string' ? frame : JSON.stringify(frame) }); return this; }
  welcome(more = {}) { return this.open().receive({ type: 'welcome', connection: 'c1', user: 'ann', ping_ms: 25_000, max_bytes: 65_536, ...more }); }
  end(code = 1006, reason = '') { this.onclose?.({ code, reason }); return this; }
  take() { return this.sent.splice(0); }
  /** Answers each `subscribe` that was sent. */
  letIn(seq = 0, epoch = 'e1') {
    for (const { type, channel, id } of this.take()) if (type === 'subscribe') this.receive({ type: 'subscribed', channel, id, seq, epoch });
    return this;
  }
}

export function fakeTime() {
  FakeSocket.all = [];
  mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1_000_000 });
  mock.method(performance, 'now', () => Date.now());
  return { pass: (ms) => mock.timers.tick(ms), end: () => { mock.timers.reset(); mock.restoreAll(); } };
}

/** Lets what was promised happen. */
export const settle = async () => { for (let i = 0; i < 10; i += 1) await Promise.resolve(); };
