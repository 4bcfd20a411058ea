// Prints how large the client is in a page: minified and gzipped, without React. Fails above the limit.
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const LIMIT = 7_680;

const { outputFiles: [bundle] } = await build({
  entryPoints: [fileURLToPath(new URL('../src/index.ts', import.meta.url))],
  bundle: true, minify: true, write: false, format: 'esm', target: 'es2022', legalComments: 'none',
});
const size = gzipSync(bundle.contents, { level: 9 }).length;
console.log(`@switchboard/client: ${size} of ${LIMIT} bytes (${bundle.contents.length} before gzip)`);
process.exitCode = size > LIMIT ? 1 : 0;
