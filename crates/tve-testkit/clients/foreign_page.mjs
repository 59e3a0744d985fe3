// A page of another origin, in a real browser, tries to command a running tve:
//   node foreign_page.mjs http://127.0.0.1:5000 [/usr/bin/chromium]
// Every way that needs no preflight is tried (forms, no-cors fetch, beacon, WebSocket), by a page of a
// foreign name and by one of another loopback address, then a page whose name was bound to the
// service's address after it was loaded (DNS rebinding). Each attempt must reach the service, be refused
// there (403, or 415 where the kind of body comes first), and leave the fan off and the heaters untuned.
// At the end an emergency stop by such a page must be carried out. Exit 0 when all of it holds.
import { createServer } from "node:http";
import { once } from "node:events";
import { chromium } from "playwright-core";

const service = new URL(process.argv[2] ?? "http://127.0.0.1:5000");
const executablePath = process.argv[3] ?? "/usr/bin/chromium";
const FAN_ON = JSON.stringify({ command: "SET_RELAY", value: { relay: "fan", state: true } });
const FAN_OFF = FAN_ON.replace("true", "false");
const TIMEOUT_MS = 10_000;

let failed = 0;
const check = (ok, what) => {
  console.log(`${ok ? "ok    " : "FAILED"} ${what}`);
  if (!ok) failed += 1;
};

const state = async () => (await (await fetch(new URL("/api/status", service))).json()).state;
const fan = async () => (await state()).relays.fan;

// The foreign server: one page without any content.
const foreign = createServer((_, reply) => {
  reply.setHeader("Content-Type", "text/html");
  reply.end("<!doctype html><title>a foreign page</title>");
}).listen(0, "0.0.0.0");
await once(foreign, "listening");
const foreignPage = `http://evil.example:${foreign.address().port}/`;
// Somebody else's program on this computer: neither a name nor a network that is not ours tells.
const nearbyPage = `http://127.0.0.2:${foreign.address().port}/`;

const browser = await chromium.launch({
  executablePath,
  args: [
    "--no-sandbox",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    // What a browser of today holds back by itself: the service must not depend on it.
    "--disable-features=LocalNetworkAccessChecks",
    "--host-resolver-rules=MAP evil.example 127.0.0.1, MAP rebound.example 127.0.0.1",
  ],
});

// Runs `attack` in a page at `address` and returns what the service answered to its requests.
async function attempt(address, attack, argument, prepare = async () => {}) {
  const page = await browser.newPage();
  page.setDefaultTimeout(TIMEOUT_MS);
  const answers = [];
  let arrived;
  const one = new Promise((resolve) => (arrived = resolve));
  page.on("response", (response) => {
    const url = new URL(response.url());
    if (url.port === service.port && url.pathname.startsWith("/api/")) {
      answers.push(response.status());
      arrived();
    }
  });
  await prepare(page);
  await page.goto(address);
  const said = await page.evaluate(attack, argument);
  await Promise.race([one, new Promise((resolve) => setTimeout(resolve, TIMEOUT_MS))]);
  await page.close();
  return { answers, said };
}

const control = new URL("/api/control", service).href;

// First the other way round: the same command from the service's own page is carried out, so a
// refusal below is one of the page and not of the command.
const post = async ([url, body]) =>
  (await fetch(url, { method: "POST", headers: { "Content-Type": "application/json" }, body })).status;
const own = await attempt(service.href, post, [control, FAN_ON]);
check(own.said === 200 && (await fan()) === true, `the service's own page may switch the fan (${own.said})`);
await attempt(service.href, post, [control, FAN_OFF]);
check((await fan()) === false, "and switch it off");

async function refused(what, address, attack, argument, prepare) {
  const { answers, said } = await attempt(address, attack, argument, prepare);
  const kept = answers.length > 0 && answers.every((status) => status === 403 || status === 415);
  check(kept, `${what}: answered ${answers.join(", ") || "never"}${said === undefined ? "" : ` (${said})`}`);
  check((await fan()) === false, `${what}: the fan stays off`);
}

// A form needs no script at all. Its one field is named so that text/plain makes JSON of it.
const form = ([url, encoding, body]) => {
  const frame = document.createElement("iframe");
  frame.name = "answer";
  document.body.appendChild(frame);
  const form = document.body.appendChild(document.createElement("form"));
  Object.assign(form, { action: url, method: "POST", enctype: encoding, target: "answer" });
  const field = form.appendChild(document.createElement("input"));
  [field.name, field.value] = [`${body.slice(0, -1)},"x":"`, '"}'];
  form.submit();
};
for (const encoding of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]) {
  await refused(`a form as ${encoding}`, foreignPage, form, [control, encoding, FAN_ON]);
}

const blind = async ([url, body]) => {
  const reply = await fetch(url, { method: "POST", mode: "no-cors", body });
  return `${reply.type} to the page`;
};
await refused("a fetch without CORS", foreignPage, blind, [control, FAN_ON]);
const tune = new URL("/api/tune/start", service).href;
const TUNE = JSON.stringify({ zone: "z1", setpoint: 200 });
for (const [what, page] of [["a foreign page", foreignPage], ["a page of 127.0.0.2", nearbyPage]]) {
  await refused(`${what} that tunes with text/plain`, page, blind, [tune, TUNE]);
  await refused(`${what} that tunes by a form`, page, form, [tune, "text/plain", TUNE]);
  const { autotune_status: status } = await state();
  check(status === "IDLE", `${what}: no tune has begun (${status})`);
}
await refused("a fetch without CORS by a page of 127.0.0.2", nearbyPage, blind, [control, FAN_ON]);

const beacon = ([url, body]) => `queued: ${navigator.sendBeacon(url, body)}`;
await refused("a beacon", foreignPage, beacon, [control, FAN_ON]);

const asked = async ([url, body]) => {
  try {
    await fetch(url, { method: "POST", headers: { "Content-Type": "application/json" }, body });
    return "readable";
  } catch {
    return "kept from the page";
  }
};
{
  const { said } = await attempt(foreignPage, asked, [control, FAN_ON]);
  check(said === "kept from the page" && (await fan()) === false, `a fetch with JSON is ${said}`);
}

const socket = (url) =>
  new Promise((resolve) => {
    const socket = new WebSocket(url);
    socket.onopen = () => resolve("open");
    socket.onerror = () => resolve("refused");
  });
const live = new URL("/socket.io/?EIO=4&transport=websocket", service).href.replace("http", "ws");
{
  const { said } = await attemptSocket(service.href);
  check(said === "open", `a WebSocket of the service's own page is ${said}`);
  const foreign = await attemptSocket(foreignPage);
  check(foreign.said === "refused", `a WebSocket of a foreign page is ${foreign.said}`);
  const nearby = await attemptSocket(nearbyPage);
  check(nearby.said === "refused", `a WebSocket of a page of 127.0.0.2 is ${nearby.said}`);
}
async function attemptSocket(address) {
  const page = await browser.newPage();
  await page.goto(address);
  const said = await page.evaluate(socket, live);
  await page.close();
  return { said };
}

// Rebinding: the page came from a foreign server, and now its name leads to the service. For the
// browser that is one origin, so only the Host that it sends gives it away.
const rebound = `http://rebound.example:${service.port}`;
const serve = (page) =>
  page.route(`${rebound}/page`, (route) => route.fulfill({ contentType: "text/html", body: "<!doctype html>" }));
const samePage = async ([path, body]) =>
  (await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body })).status;
await refused("a rebound name that commands", `${rebound}/page`, samePage, ["/api/control", FAN_ON], serve);
const read = async (path) => (await fetch(path)).status;
await refused("a rebound name that reads", `${rebound}/page`, read, "/api/status", serve);

// The one thing that any page may do, in a form that no preflight asks about.
const STOP = JSON.stringify({ command: "EMERGENCY_STOP" });
const stopped = await attempt(nearbyPage, blind, [control, STOP]);
check(stopped.answers[0] === 200 && (await state()).status === "ALARM", `an emergency stop by a page: ${stopped.answers}`);
const clear = JSON.stringify({ command: "CLEAR_ALARM" });
const cleared = await attempt(service.href, post, [control, clear]);
check(cleared.said === 200 && (await state()).status !== "ALARM", "the service's own page clears it");

await browser.close();
foreign.close();
console.log(failed === 0 ? "foreign page: all held" : `foreign page: ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
