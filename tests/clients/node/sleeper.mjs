// A client of its own process: says what it is told, until it is killed.

import WebSocket from 'ws';

const socket = new WebSocket(process.argv[2], { perMessageDeflate: false });
socket.on('message', (data) => console.log(data.toString()));
socket.on('close', (code, reason) => console.log(`closed ${code} ${reason}`));
