// What all builds of the client have in common.
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

/** The entries of the package, without the ending. */
export const entries = ['index', 'history', 'react', 'shared', 'sse'];

/** Names that begin with an underscore are those of the machine's state, which nobody outside of the package reads: they are shortened. */
export const shared = { absWorkingDir: root, bundle: true, format: 'esm', target: 'es2022', charset: 'utf8', mangleProps: /^_[a-z]/i };
