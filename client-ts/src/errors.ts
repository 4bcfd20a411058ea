import type { Frame } from './events.js';

/** Why a message was not sent, or may not have arrived. */
export class SwitchboardError extends Error {
  /**
   * @param code the server's error code, or `not_connected`, `unconfirmed` (sent, but the connection ended before the answer), `timeout` (no answer),
   *   `queue_full` (too much waits for a connection or for the network), `expired`, `too_large`, `unsubscribed`, `aborted`,
   *   `bad_content` (cannot be encoded as JSON), `stopped`, `overflow`
   * @param frame the server's `error`, if there is one
   */
  constructor(readonly code: string, readonly frame?: Frame, cause?: unknown) {
    super(frame?.message ?? code, { cause });
  }
}
