// Prints how large the client is in a page: minified and gzipped, without React. Fails above the limit of the core.
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { entries, shared } from './options.mjs';

const LIMIT = 7_680;

/** The bytes of the bundle of a module with these lines, before and after gzip. */
async function measure(...lines) {
  const { outputFiles: [bundle] } = await build({
    ...shared, stdin: { contents: lines.join('\n'), resolveDir: shared.absWorkingDir }, external: ['react'], minify: true, write: false, legalComments: 'none',
  });
  return [bundle.contents.length, gzipSync(bundle.contents, { level: 9 }).length];
}

const [raw, core] = await measure("export * from './src/index.ts';");
console.log(`@switchboard/client: ${core} of ${LIMIT} bytes (${raw} before gzip)`);
const whole = (name) => `export * as ${name} from './src/${name}.ts';`;
const [, alone] = await measure(whole('index'));
for (const name of entries.filter((entry) => entry !== 'index')) {
  const [, both] = await measure(whole('index'), whole(name));
  console.log(`@switchboard/client/${name}: ${both - alone} more`);
}
process.exitCode = core > LIMIT ? 1 : 0;
