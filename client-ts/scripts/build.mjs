// Builds dist: the modules with esbuild, which leaves no trace of the enums, and their types with tsc.
import { execFileSync } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { build } from 'esbuild';
import { entries, root, shared } from './options.mjs';

await rm(`${root}dist`, { recursive: true, force: true });
await build({
  ...shared, outdir: 'dist', entryPoints: [...entries, 'machine', 'verdict'].map((name) => `src/${name}.ts`), external: ['react'],
  splitting: true, chunkNames: 'shared-[hash]', sourcemap: true, sourcesContent: false,
});
execFileSync(process.execPath, [`${root}node_modules/typescript/bin/tsc`, '-p', root, '--emitDeclarationOnly'], { stdio: 'inherit' });
