// How the other tests wait.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from './wait.mjs';

test('a condition that never answers fails the test that waits for it, and says what it waited for', async () => {
  const never = () => new Promise(() => {});
  await assert.rejects(until(never, 'the browser', 1, 20), /waited without an answer 20 ms for the browser/);
});

test('a condition that answers is asked until it holds', async () => {
  let asked = 0;
  assert.equal(await until(async () => (asked += 1) === 3 && 'held', 'the third time'), 'held');
});

test('a condition that does not hold in time fails, and says what was waited for', async () => {
  await assert.rejects(until(() => false, () => 'a wonder', 1), /waited 1 ms for a wonder/);
});
