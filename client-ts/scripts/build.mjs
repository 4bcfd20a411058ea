// Builds dist: the modules with esbuild, which leaves no trace of the enums, and their types with tsc.
import { execFileSync } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));

await rm(`${root}dist`, { recursive: true, force: true });
await build({
  absWorkingDir: root, outdir: 'dist', entryPoints: ['src/index.ts', 'src/react.ts', 'src/machine.ts', 'src/verdict.ts'], external: ['react'],
  bundle: true, splitting: true, chunkNames: 'shared-[hash]', format: 'esm', target: 'es2022', charset: 'utf8', sourcemap: true, sourcesContent: false,
});
execFileSync(process.execPath, [`${root}node_modules/typescript/bin/tsc`, '-p', root, '--emitDeclarationOnly'], { stdio: 'inherit' });
