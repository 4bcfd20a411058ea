// The conversation as a program: prints what it says, and ends.

import * as client from '@switchboard/client';
import { converse } from './converse.mjs';

// Node 20 has no WebSocket of its own.
const options = globalThis.WebSocket ? {} : { webSocket: (await import('ws')).default };
console.log(JSON.stringify(await converse(client, process.argv[2], options)));
