// Waiting for conditions, with a deadline.

import { setTimeout as pause } from 'node:timers/promises';

/** Waits until `condition` holds; fails, saying `what`, when it does not in time. */
export async function until(condition, what, milliseconds = 10_000) {
  const deadline = performance.now() + milliseconds;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (performance.now() > deadline) {
      throw new Error(`waited ${milliseconds} ms for ${typeof what === 'function' ? what() : what}`);
    }
    await pause(5);
  }
}

/** Lets time pass where time itself is the subject: a stopped host, a grace that runs out. */
export const timePasses = pause;
