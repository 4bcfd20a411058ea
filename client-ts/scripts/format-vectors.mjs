// How tests/vectors are written: one entry of a script on a line.
export function format({ about, scenarios }) {
  const one = ({ name, config, script }) => [
    '    {', `      "name": ${JSON.stringify(name)},`, `      "config": ${JSON.stringify(config)},`, '      "script": [',
    script.map((entry) => `        ${JSON.stringify(entry)}`).join(',\n'), '      ]', '    }',
  ].join('\n');
  return `{\n  "about": ${JSON.stringify(about)},\n  "scenarios": [\n${scenarios.map(one).join(',\n')}\n  ]\n}\n`;
}
