// After npm has changed package-lock.json: takes out where the packages came from, which is not the same for everybody.
import { readFileSync, writeFileSync } from 'node:fs';

const file = new URL('../package-lock.json', import.meta.url);
const lock = JSON.parse(readFileSync(file, 'utf8'), (key, value) => key === 'resolved' ? undefined : value);
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
