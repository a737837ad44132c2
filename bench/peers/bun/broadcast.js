// SPDX-License-Identifier: MIT
// Sends each message to all clients, by a topic to which all of them subscribe: what uWebSockets has for it.
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
    open(socket) {
      socket.subscribe("all");
    },
    message(socket, message) {
      server.publish("all", message);
    },
  },
});
console.log(`listening on ws://127.0.0.1:${server.port}/`);
