// SPDX-License-Identifier: Apache-2.0
//
// A page for one screen in a hundred lines: shows what the service says, and says what it has shown.
// The messages are those of PROTOCOL.md. Try it: smartstore player certify --page examples/player
"use strict";

const PING_MS = 3000;
const LOAD_MS = 8000;

let socket = null;
let stopped = false;
let retryMs = 250;
let turn = 0; // only the newest show may come to the front
let front = null; // { url, frame } of what is visible

const twoFrames = () =>
  new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));

function say(message) {
  if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}

// Loads a creative into a frame that may run no scripts, unseen until it is complete.
function load(url, title) {
  return new Promise((resolve, reject) => {
    const frame = document.createElement("iframe");
    frame.setAttribute("sandbox", "allow-same-origin");
    frame.title = title;
    frame.src = url;
    const limit = setTimeout(() => fail("it took too long"), LOAD_MS);
    function fail(why) {
      clearTimeout(limit);
      frame.remove();
      reject(new Error(why));
    }
    frame.addEventListener("load", async () => {
      clearTimeout(limit);
      const page = frame.contentDocument; // null where the browser shows an error of its own
      const entry = page && frame.contentWindow.performance.getEntriesByType("navigation")[0];
      if (!page || (entry && entry.responseStatus >= 400)) {
        fail(page ? `the service answered ${entry.responseStatus}` : "the service is away");
        return;
      }
      await page.fonts.ready;
      resolve(frame);
    });
    document.body.append(frame);
  });
}

async function show(message) {
  const mine = ++turn;
  const rendered = { type: "rendered", play_id: message.play_id };
  if (front !== null && front.url === message.url) {
    await twoFrames();
    if (mine === turn) say(rendered);
    return;
  }
  let frame;
  try {
    if (!message.url.startsWith("/media/")) throw new Error("not a creative's address");
    frame = await load(message.url, message.alt_text);
  } catch (error) {
    if (mine === turn) say({ type: "failed", play_id: message.play_id, error: error.message });
    return;
  }
  if (mine !== turn) {
    frame.remove(); // overtaken while it loaded: nothing is said of it
    return;
  }
  await twoFrames();
  frame.classList.add("on");
  await twoFrames();
  const old = front;
  front = { url: message.url, frame };
  if (old !== null) old.frame.remove(); // the old one stays until the new one is painted
  if (mine === turn) say(rendered);
}

function connect() {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  socket = new WebSocket(`${scheme}://${location.host}/ws`);
  const pinging = setInterval(() => say({ type: "ping" }), PING_MS);
  socket.addEventListener("open", () => (retryMs = 250));
  socket.addEventListener("message", (event) => {
    const message = JSON.parse(event.data);
    if (message.type === "show") show(message);
    else if (message.type === "stop") stopped = true; // a newer page has this screen
    // What is not known here is of a newer service, and no concern of ours.
  });
  socket.addEventListener("close", () => {
    clearInterval(pinging);
    if (stopped) return;
    setTimeout(connect, retryMs);
    retryMs = Math.min(2 * retryMs, 2000);
  });
}

connect();
