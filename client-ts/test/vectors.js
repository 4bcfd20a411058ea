// Runs the scripts of tests/vectors against the machine; its README defines the format.
import { readdirSync, readFileSync } from 'node:fs';
import { createMachine } from '../dist/machine.js';

export const folder = new URL('../../tests/vectors/', import.meta.url);

export const files = () => readdirSync(folder).filter((name) => name.endsWith('.json')).sort();

export const load = (file) => JSON.parse(readFileSync(new URL(file, folder), 'utf8'));

/** The script with the actions that the machine takes, in place of those that are written. */
export function play({ config, script }) {
  const machine = createMachine(config);
  const played = [];
  let now = 0;
  const step = (at, event) => {
    now = at;
    for (const action of machine.handle(now, event)) played.push({ at_ms: now, action: JSON.parse(JSON.stringify(action)) });
  };
  for (const entry of script.filter(({ action }) => !action)) {
    const { at_ms, event, asleep } = entry;
    while (!asleep && machine.deadline() <= at_ms) step(Math.max(now, machine.deadline()), { type: 'tick' });
    played.push(entry);
    now = at_ms;
    if (event) step(at_ms, event);
    while (machine.deadline() <= at_ms) step(at_ms, { type: 'tick' });
  }
  return played;
}
