// Drives a running tve with the original Socket.IO client: node socketio.mjs http://127.0.0.1:5000
// Each transport must give the snapshot event, live io_update events in the five known categories,
// and the echo of a command; a foreign origin must not get in. Exit 0 when all of it holds.
import { io } from "socket.io-client";

const base = process.argv[2] ?? "http://127.0.0.1:5000";
const CATEGORIES = new Set(["temps", "motors", "relays", "pwm", "misc"]);
const TIMEOUT_MS = 8000;
let failed = 0;
const check = (ok, what) => {
  console.log(`${ok ? "ok    " : "FAILED"} ${what}`);
  if (!ok) failed += 1;
};

const within = (promise, what) =>
  Promise.race([
    promise,
    new Promise((_, reject) => setTimeout(() => reject(new Error(`${what}: no answer in ${TIMEOUT_MS} ms`)), TIMEOUT_MS)),
  ]);

const post = (command, value) =>
  fetch(`${base}/api/control`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ command, value }),
  });

async function drive(transports, relayState) {
  const name = transports.join("+");
  const socket = io(base, { transports, reconnection: false, forceNew: true });
  const updates = [];
  socket.on("io_update", (update) => updates.push(update));
  const echo = new Promise((resolve) =>
    socket.on("io_update", (u) => u.category === "relays" && u.key === "fan" && u.val === relayState && resolve(u)),
  );
  try {
    const snapshot = await within(
      new Promise((resolve, reject) => {
        socket.on("snapshot", resolve);
        socket.on("connect_error", reject);
      }),
      `${name}: snapshot`,
    );
    check(typeof snapshot === "object" && snapshot !== null, `${name}: a snapshot event on connect`);
    await new Promise((r) => setTimeout(r, 300));
    const reply = await post("SET_RELAY", { relay: "fan", state: relayState });
    check(reply.status === 200, `${name}: SET_RELAY is accepted (${reply.status})`);
    await within(echo, `${name}: relay echo`);
    check(true, `${name}: the relay change arrives as io_update`);
    check(updates.every((u) => CATEGORIES.has(u.category) && "key" in u && "val" in u), `${name}: only known categories`);
    check(transports.includes(socket.io.engine.transport.name), `${name}: the transport is ${socket.io.engine.transport.name}`);
  } catch (error) {
    check(false, `${name}: ${error.message}`);
  }
  socket.close();
}

await drive(["polling"], true);
await new Promise((r) => setTimeout(r, 400));
await drive(["websocket"], false);
await new Promise((r) => setTimeout(r, 400));
await drive(["polling", "websocket"], true);

const foreign = io(base, {
  transports: ["websocket"],
  reconnection: false,
  forceNew: true,
  extraHeaders: { Origin: "http://evil.example" },
});
const outcome = await within(
  new Promise((resolve) => {
    foreign.on("connect", () => resolve("connected"));
    foreign.on("connect_error", () => resolve("refused"));
  }),
  "foreign origin",
).catch((error) => error.message);
check(outcome === "refused", `a foreign origin is ${outcome}`);
foreign.close();

console.log(failed === 0 ? "socket.io: all held" : `socket.io: ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
