import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { files, load, play } from './vectors.js';

let count = 0;
for (const file of files()) {
  describe(file, () => {
    for (const scenario of load(file).scenarios) {
      count += 1;
      it(scenario.name, () => assert.deepEqual(play(scenario), scenario.script));
    }
  });
}

it('there are at least 200 scenarios', () => assert.ok(count >= 200, `${count}`));
