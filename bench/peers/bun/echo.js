// SPDX-License-Identifier: MIT
// An echo server on Bun, whose WebSockets are those of uWebSockets.
const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch(request, server) {
    return server.upgrade(request) ? undefined : new Response("WebSocket only", { status: 426 });
  },
  websocket: {
    maxPayloadLength: 16 * 1024 * 1024,
    backpressureLimit: 64 * 1024 * 1024,
    perMessageDeflate: false,
    message(socket, message) {
      socket.send(message);
    },
  },
});
console.log(`listening on ws://127.0.0.1:${server.port}/`);
// What idle connections hold is measured without garbage.
process.on("SIGUSR2", () => {
  Bun.gc(true);
  console.log("collected");
});
