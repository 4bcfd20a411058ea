// Writes the client as the one file that the chat page embeds. With --check it only compares.
import { readFile, writeFile } from 'node:fs/promises';
import { build } from 'esbuild';
import { shared } from './options.mjs';

const target = new URL('../../examples/page/switchboard.js', import.meta.url);

const { outputFiles: [bundle] } = await build({
  ...shared, mangleProps: undefined, entryPoints: ['src/shared.ts'], write: false, legalComments: 'none',
  banner: { js: '// Made from client-ts/src by client-ts/scripts/bundle.mjs. Do not edit.' },
});
if (process.argv.includes('--check')) {
  const committed = await readFile(target, 'utf8').catch(() => '');
  if (committed !== bundle.text) {
    console.error('examples/page/switchboard.js is not what client-ts/src gives. Run: npm run bundle');
    process.exitCode = 1;
  }
} else {
  await writeFile(target, bundle.text);
  console.log(`wrote examples/page/switchboard.js, ${bundle.contents.length} bytes`);
}
