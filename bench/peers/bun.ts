// A server on Bun's own WebSockets and its native publish, which writes what one turn brings for a
// member together.
const QUEUE_BYTES = 1 << 20;
const compress = process.argv.includes("--compress");
const ping = Number(process.argv[process.argv.indexOf("--ping-interval") + 1]) * 1000;
const TO = '"to":"';

type Data = { room: string; user: string };
type Socket = Bun.ServerWebSocket<Data>;

const users = new Map<string, Socket>();

const server = Bun.serve<Data>({
  hostname: "127.0.0.1",
  port: 0,
  fetch(request, server) {
    const { url } = request;
    const start = url.indexOf("/ws/") + "/ws/".length;
    const query = url.indexOf("?token=", start);
    const data = { room: url.slice(start, query), user: url.slice(query + "?token=".length) };
    if (server.upgrade(request, { data })) return;
    return new Response("a WebSocket was expected\n", { status: 426 });
  },
  websocket: {
    perMessageDeflate: compress,
    backpressureLimit: QUEUE_BYTES,
    closeOnBackpressureLimit: true,
    sendPings: false,
    idleTimeout: 960,
    open(ws) {
      ws.subscribe(ws.data.room);
      users.set(ws.data.user, ws);
    },
    message(ws, message: string) {
      if (message.startsWith('{"type":"direct"')) {
        const start = message.indexOf(TO) + TO.length;
        users.get(message.slice(start, message.indexOf('"', start)))?.send(message);
      } else {
        server.publish(ws.data.room, message, compress);
      }
    },
    close(ws) {
      if (users.get(ws.data.user) === ws) users.delete(ws.data.user);
    },
  },
});

setInterval(() => {
  for (const ws of users.values()) ws.ping();
}, ping);

console.log(`listening on 127.0.0.1:${server.port}`);
