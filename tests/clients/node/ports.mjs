// Ports for servers that have to be found where they were, or told before they run.

import { once } from 'node:events';
import net from 'node:net';

/** A port that was free just now. It is below those that the system hands out, so that nobody gets it by chance meanwhile. */
export async function freePort() {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    const listener = net.createServer().listen(port, '127.0.0.1');
    const isFree = await Promise.race([once(listener, 'listening').then(() => true), once(listener, 'error').then(() => false)]);
    if (!isFree) continue;
    listener.close();
    await once(listener, 'close');
    return port;
  }
}
