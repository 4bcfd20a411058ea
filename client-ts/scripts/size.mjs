// Prints how large the client is in a page: minified and gzipped, without React. Fails above the limit.
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { shared } from './options.mjs';

const LIMIT = 7_680;

const { outputFiles: [bundle] } = await build({ ...shared, entryPoints: ['src/index.ts'], minify: true, write: false, legalComments: 'none' });
const size = gzipSync(bundle.contents, { level: 9 }).length;
console.log(`@switchboard/client: ${size} of ${LIMIT} bytes (${bundle.contents.length} before gzip)`);
process.exitCode = size > LIMIT ? 1 : 0;
