// After a deliberate change of the decisions: writes what the machine does now into tests/vectors. Read the difference.
import { writeFileSync } from 'node:fs';
import { files, folder, load, play } from '../test/vectors.js';
import { format } from './format-vectors.mjs';

for (const file of files()) {
  const { about, scenarios } = load(file);
  writeFileSync(new URL(file, folder), format({ about, scenarios: scenarios.map((scenario) => ({ ...scenario, script: play(scenario) })) }));
}
