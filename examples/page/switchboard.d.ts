export * from '../../client-ts/src/shared.js';
