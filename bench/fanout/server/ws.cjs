// A broadcast with ws, as its documentation has it. What publishes sends length, location, message.
const net = require("node:net");
const http = require("node:http");
const { WebSocketServer, WebSocket } = require(process.argv[2]);

const server = http.createServer();
const sockets = new WebSocketServer({ server });
sockets.on("connection", (socket) => socket.on("error", () => socket.terminate()));

const publishers = net.createServer((publisher) => {
  let heard = Buffer.alloc(0);
  publisher.on("error", () => publisher.destroy());
  publisher.on("data", (bytes) => {
    heard = Buffer.concat([heard, bytes]);
    while (heard.length >= 8 && heard.length >= 8 + heard.readUInt32BE(0)) {
      const end = 8 + heard.readUInt32BE(0);
      const message = heard.subarray(8, end);
      for (const socket of sockets.clients) {
        if (socket.readyState === WebSocket.OPEN) socket.send(message, { binary: false });
      }
      heard = heard.subarray(end);
    }
  });
});

server.listen({ port: 0, host: "127.0.0.1", backlog: 4096 }, () =>
  publishers.listen(0, "127.0.0.1", () =>
    console.log(`127.0.0.1:${server.address().port} 127.0.0.1:${publishers.address().port}`)));
