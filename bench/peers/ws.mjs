// A server on the npm package `ws`: what one turn of the event loop brings for a member goes out
// together (its socket is corked until then), and who does not keep up is cut off.
import { createServer } from "node:http";
import { WebSocketServer } from "ws";

const QUEUE_BYTES = 1 << 20;
// Messages from 1 KiB on, which is where it begins by default without context.
const compress = process.argv.includes("--compress");
const ping = Number(process.argv[process.argv.indexOf("--ping-interval") + 1]) * 1000;
const DIRECT = Buffer.from('{"type":"direct"');
const TO = '"to":"';

const rooms = new Map();
const users = new Map();
let corked = [];

function uncork() {
  const sockets = corked;
  corked = [];
  for (const ws of sockets) {
    ws.corked = false;
    ws._socket?.uncork();
  }
}

function send(ws, data) {
  if (!ws.corked) {
    if (corked.length === 0) setImmediate(uncork);
    ws.corked = true;
    ws._socket?.cork();
    corked.push(ws);
  }
  ws.send(data, { binary: false });
  if (ws.bufferedAmount > QUEUE_BYTES) ws.terminate();
}

function direct(data) {
  const text = data.latin1Slice(0, data.length);
  const start = text.indexOf(TO) + TO.length;
  const ws = users.get(text.slice(start, text.indexOf('"', start)));
  if (ws !== undefined) send(ws, data);
}

const server = createServer();
const sockets = new WebSocketServer({ server, perMessageDeflate: compress, clientTracking: false });
sockets.on("connection", (ws, request) => {
  const [path, query] = request.url.split("?");
  const name = path.slice("/ws/".length);
  const user = query.slice("token=".length);
  let room = rooms.get(name);
  if (room === undefined) rooms.set(name, (room = new Set()));
  room.add(ws);
  users.set(user, ws);
  ws.corked = false;
  ws.on("message", (data) => {
    if (data.compare(DIRECT, 0, DIRECT.length, 0, DIRECT.length) === 0) direct(data);
    else for (const member of room) send(member, data);
  });
  ws.on("error", () => {});
  ws.on("close", () => {
    room.delete(ws);
    if (users.get(user) === ws) users.delete(user);
  });
});

setInterval(() => {
  for (const room of rooms.values()) for (const ws of room) ws.ping();
}, ping);

server.listen(0, "127.0.0.1", 1024, () => {
  console.log(`listening on 127.0.0.1:${server.address().port}`);
});
