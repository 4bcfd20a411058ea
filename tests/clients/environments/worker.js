// The conversation in a worker of a browser, of any kind, which answers whoever asks with what it says.

import { converse } from './converse.mjs';
import * as client from './node_modules/@switchboard/client/dist/index.js';

const answer = async (port, address) => port.postMessage(await converse(client, address).catch(String));
self.onmessage = ({ data, source }) => void answer(source ?? self, data);
self.onconnect = ({ ports: [port] }) => {
  port.onmessage = ({ data }) => void answer(port, data);
};
