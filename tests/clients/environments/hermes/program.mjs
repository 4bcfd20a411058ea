// Writes the conversation for Hermes, as React Native's Metro does it: every module is transformed by its Babel preset.

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { transformSync } from '@babel/core';
import { converse } from '../converse.mjs';

const read = (path) => readFileSync(new URL(path, import.meta.url), 'utf8');

/** The code of a module after the transformation for an engine: `default` for one that knows no classes. */
export function transformed(code, profile) {
  const preset = ['@react-native/babel-preset', { disableImportExportTransform: true, enableBabelRuntime: false, unstable_transformProfile: profile }];
  return transformSync(code, { presets: [preset], cwd: fileURLToPath(new URL('.', import.meta.url)), babelrc: false, configFile: false, compact: false, filename: 'module.js' }).code;
}

/** The client in one script, with the names of its exports on `client`. */
export const client = () => `const client = {}; ((module) => {\n${read('../node_modules/@switchboard/client/dist/index.cjs')}\nObject.assign(client, module.exports); })({});`;

/** What the engine of a phone runs: its surroundings, the client, and the conversation. */
export function program() {
  const asked = `(${converse})(client, 'wss://host/ws').then((told) => print(JSON.stringify(told)), (error) => print(error.stack));`;
  return [read('surroundings.js'), client(), asked].join('\n');
}
