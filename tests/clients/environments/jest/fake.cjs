/** A WebSocket whose server welcomes everybody and acknowledges all. */
module.exports = class {
  constructor() {
    queueMicrotask(() => {
      this.onopen?.({});
      this.answer({ type: 'welcome', connection: 'c1', user: 'ann' });
    });
  }

  answer(frame) { this.onmessage?.({ data: JSON.stringify(frame) }); }
  send(text) { queueMicrotask(() => this.answer({ type: 'ack', id: JSON.parse(text).id, seq: 5 })); }
  close() {}
};
