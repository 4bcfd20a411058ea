export * from '../../client-ts/src/index.js';
