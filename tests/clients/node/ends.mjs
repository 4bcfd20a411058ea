// A file of tests ends by itself once its tests are over. Where it does not, this says what it waits for, and fails it.

import { after } from 'node:test';

/** Longer than a browser may take to close. */
const ENDS_WITHIN_MS = 60_000;

after(() => {
  setTimeout(() => {
    console.error(`the tests are over, and still open: ${process.getActiveResourcesInfo().join(', ')}`);
    process.exit(1);
  }, ENDS_WITHIN_MS).unref();
});
