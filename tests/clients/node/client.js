// Opens a feed of fleetwire with the npm package `ws`, and says what happens, a line each.
//
// Usage: client.js URL TOKEN

import WebSocket from "ws";

const [url, token] = process.argv.slice(2);
const socket = new WebSocket(url, { headers: { Authorization: `Bearer ${token}` } });

socket.on("unexpected-response", (_, response) => {
  console.log(`refused ${response.statusCode}`);
  process.exit(0);
});
socket.on("open", () => {
  // All of this is ignored: no answer, no close.
  socket.send("hello");
  socket.send("");
  socket.send(Buffer.alloc(1_000_000, 0xff));
  socket.send("frag", { fin: false });
  socket.send("mented", { fin: true });
  socket.ping("are you there?");
});
socket.on("pong", (payload) => console.log(payload.toString() === "are you there?" ? "pong" : "a wrong pong"));
socket.on("message", (data) => {
  const { name, address, type, is_mobile, geometry } = JSON.parse(data);
  const [longitude, latitude] = geometry.coordinates;
  console.log(`${name}, ${address}, ${type}, ${is_mobile ? "mobile" : "fixed"}: ${longitude} ${latitude}`);
  socket.close(1000);
});
socket.on("close", (code) => console.log(`closed ${code}`));
setTimeout(() => {
  console.log("waited in vain");
  process.exit(1);
}, 50_000).unref();
