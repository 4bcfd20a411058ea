import js from '@eslint/js';
import ts from 'typescript-eslint';

const nodeGlobals = Object.fromEntries(
  ['process', 'console', 'document', 'Buffer', 'setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'URL', 'AbortController', 'AbortSignal', 'Event', 'EventTarget', 'fetch', 'performance', 'queueMicrotask', 'setImmediate', 'structuredClone']
    .map((name) => [name, 'readonly']),
);

export default ts.config(
  { ignores: ['dist/', 'node_modules/', 'examples/'] },
  js.configs.recommended,
  {
    files: ['src/**/*.ts'],
    extends: [ts.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      // Asserted where an invariant holds that types do not show.
      '@typescript-eslint/no-non-null-assertion': 'off',
      // Frames are JSON that the server's protocol describes; they are read where they are understood.
      '@typescript-eslint/no-explicit-any': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/restrict-plus-operands': 'off',
      // Several durations are the same.
      '@typescript-eslint/no-duplicate-enum-values': 'off',
      // `Id` stands among numbers.
      '@typescript-eslint/no-unsafe-enum-comparison': 'off',
    },
  },
  { files: ['**/*.mjs', '**/*.js'], languageOptions: { globals: nodeGlobals } },
);
