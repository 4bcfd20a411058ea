// After a deliberate change of the decisions: writes what the machine does now into tests/vectors. Read the difference.
import { writeFileSync } from 'node:fs';
import { files, folder, load, play } from '../test/vectors.js';

export function format({ about, scenarios }) {
  const one = ({ name, config, script }) => [
    '    {', `      "name": ${JSON.stringify(name)},`, `      "config": ${JSON.stringify(config)},`, '      "script": [',
    script.map((entry) => `        ${JSON.stringify(entry)}`).join(',\n'), '      ]', '    }',
  ].join('\n');
  return `{\n  "about": ${JSON.stringify(about)},\n  "scenarios": [\n${scenarios.map(one).join(',\n')}\n  ]\n}\n`;
}

for (const file of files()) {
  const { about, scenarios } = load(file);
  writeFileSync(new URL(file, folder), format({ about, scenarios: scenarios.map((scenario) => ({ ...scenario, script: play(scenario) })) }));
}
