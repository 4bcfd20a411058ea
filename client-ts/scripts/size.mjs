// Prints how large the client is in a page: minified and gzipped, without React. Fails above the limit of the core.
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { entries, shared } from './options.mjs';

const LIMIT = 7_680;

/** The bytes of these entries in one bundle, before and after gzip. */
async function measure(names) {
  const contents = names.map((name) => `export * from './src/${name}.ts';`).join('\n');
  const { outputFiles: [bundle] } = await build({
    ...shared, stdin: { contents, resolveDir: shared.absWorkingDir }, external: ['react'], minify: true, write: false, legalComments: 'none',
  });
  return [bundle.contents.length, gzipSync(bundle.contents, { level: 9 }).length];
}

const [raw, core] = await measure(['index']);
console.log(`@switchboard/client: ${core} of ${LIMIT} bytes (${raw} before gzip)`);
for (const name of entries.filter((entry) => entry !== 'index')) {
  const [, size] = await measure(['index', name]);
  console.log(`@switchboard/client/${name}: ${size - core} more`);
}
process.exitCode = core > LIMIT ? 1 : 0;
