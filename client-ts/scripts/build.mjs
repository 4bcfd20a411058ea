// Builds dist: the modules with esbuild, which leaves no trace of the enums, as ES modules and for `require`; and their types with tsc.
import { execFileSync } from 'node:child_process';
import { readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { build } from 'esbuild';
import { entries, root, shared } from './options.mjs';

const dist = `${root}dist/`;
const output = { ...shared, outdir: 'dist', external: ['react'], sourcemap: true, sourcesContent: false };
const paths = (names) => names.map((name) => `src/${name}.ts`);

/** Lets the other entries require the first one, so that there is one class of errors. */
const oneCore = {
  name: 'one-core',
  setup: ({ onResolve }) => onResolve({ filter: /^\.\/index\.js$/ }, () => ({ path: './index.cjs', external: true })),
};

await rm(dist, { recursive: true, force: true });
await build({ ...output, entryPoints: paths([...entries, 'machine', 'verdict']), splitting: true, chunkNames: 'shared-[hash]' });
await build({ ...output, entryPoints: paths(entries), format: 'cjs', outExtension: { '.js': '.cjs' }, plugins: [oneCore] });
execFileSync(process.execPath, [`${root}node_modules/typescript/bin/tsc`, '-p', root, '--emitDeclarationOnly'], { stdio: 'inherit' });
for (const file of await readdir(dist)) {
  if (!file.endsWith('.d.ts')) continue;
  const types = await readFile(dist + file, 'utf8');
  await writeFile(dist + file.replace(/ts$/, 'cts'), types.replace(/(['"]\.\/\w+)\.js(['"])/g, '$1.cjs$2').replace(/^\/\/# sourceMappingURL.*$/m, ''));
}
