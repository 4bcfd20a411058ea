// Compressed messages in a real Firefox: what it inflates and keeps by itself.

import { test } from 'node:test';
import { firefox } from './firefox.mjs';
import { readsAfterWhatItInflated } from './in_step.mjs';

test('a page in Firefox keeps what it has inflated, and reads short lines after it', async (t) => {
  const browser = await firefox(t);
  t.diagnostic(`Firefox ${browser.version}`);
  await readsAfterWhatItInflated(t, await browser.page());
});
