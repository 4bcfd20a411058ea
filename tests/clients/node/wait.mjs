// Waiting for conditions, with a deadline.

import { setTimeout as pause } from 'node:timers/promises';

/** How long a condition may take to answer: longer than a browser needs on a busy machine. */
const ANSWERS_WITHIN_MS = 60_000;

const SILENT = Symbol('no answer');

/** Waits until `condition` holds; fails, saying `what`, when it does not in time or does not answer. */
export async function until(condition, what, milliseconds = 10_000, answers = ANSWERS_WITHIN_MS) {
  const deadline = performance.now() + milliseconds;
  const waited = (time) => new Error(`waited ${time} ms for ${typeof what === 'function' ? what() : what}`);
  for (;;) {
    const value = await answer(condition(), answers);
    if (value === SILENT) throw waited(`without an answer ${answers}`);
    if (value) return value;
    if (performance.now() > deadline) throw waited(milliseconds);
    await pause(5);
  }
}

/** What a promise resolves to, or that it did not in time: a browser that hangs never answers. */
async function answer(value, milliseconds) {
  if (!(value instanceof Promise)) return value;
  const answered = new AbortController();
  const silence = pause(milliseconds, SILENT, { signal: answered.signal }).catch(() => SILENT);
  try {
    return await Promise.race([value, silence]);
  } finally {
    answered.abort();
  }
}

/** Lets time pass where time itself is the subject: a stopped host, a grace that runs out. */
export const timePasses = pause;
