// A node of Socket.IO over Redis, set up as its documentation advises: ioredis, whose subscriptions survive a
// reconnect, and connection state recovery where the adapter supports it.
import { createServer } from "node:http";
import { createAdapter as createPubSub } from "@socket.io/redis-adapter";
import { createAdapter as createStreams } from "@socket.io/redis-streams-adapter";
import { Redis } from "ioredis";
import { Server } from "socket.io";

const argument = (name) => process.argv[process.argv.indexOf(name) + 1];

const open = () => {
  const redis = new Redis(argument("--redis"));
  // It connects again by itself.
  redis.on("error", () => {});
  return redis;
};

const adapters = {
  redis: () => ({ adapter: createPubSub(open(), open()) }),
  streams: () => ({
    adapter: createStreams(open(), { onlyPlaintext: true }),
    connectionStateRecovery: {},
  }),
};

const server = createServer();
const io = new Server(server, {
  transports: ["websocket"],
  serveClient: false,
  pingTimeout: Number(argument("--ping-timeout")) * 1000,
  ...adapters[argument("--adapter")](),
});
io.on("connection", (socket) => {
  const room = socket.handshake.query.room;
  socket.join(room);
  socket.on("message", (message, acknowledge) => {
    io.to(room).emit("message", message);
    acknowledge?.();
  });
});

server.listen(0, "127.0.0.1", 1024, () => {
  console.log(`listening on 127.0.0.1:${server.address().port}`);
});
