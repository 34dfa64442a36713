// The page of one screen. It shows what the service says, and acknowledges what it has painted.
// The messages are described in PROTOCOL.md.
"use strict";

const query = new URLSearchParams(location.search);
const mirror = query.get("mirror") === "1";
const explain = query.get("why") === "1";
const stage = document.getElementById("stage");

const LOAD_LIMIT_MS = 8000;
const FONT_LIMIT_MS = 1000;
const PING_MS = 3000;
const RETRY_MIN_MS = 250;
const RETRY_MAX_MS = 2000;

let socket = null;
let replaced = false;
let retry = RETRY_MIN_MS;
let front = null; // the frame that is fully painted, with its address
let turn = 0; // counts the shows; only the newest may still come to the front

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// The second callback runs after the frame that the first one prepared was handed to the screen.
const painted = () =>
  new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));

function send(message) {
  if (!mirror && socket !== null && socket.readyState === WebSocket.OPEN) {
    socket.send(JSON.stringify(message));
  }
}

function caption(message) {
  document.getElementById("why").hidden = !explain;
  document.getElementById("arm").textContent = message.arm ?? message.reason;
  document.getElementById("sentence").textContent = message.sentence;
}

// A creative may style and animate itself; the sandbox lets it run no script.
function layer(message) {
  const frame = document.createElement("iframe");
  frame.setAttribute("sandbox", "allow-same-origin");
  frame.title = message.alt_text;
  frame.src = message.url;
  return frame;
}

// A frame without scripts may not start its film by itself. Settled once each film moves, so that
// its first picture is there before it is shown.
function films(page) {
  return Promise.all([...page.querySelectorAll("video")].map((film) => film.play()));
}

function loaded(frame) {
  return new Promise((resolve, reject) => {
    const limit = setTimeout(
      () => reject(new Error(`not loaded within ${LOAD_LIMIT_MS} ms`)),
      LOAD_LIMIT_MS,
    );
    frame.addEventListener("load", () => {
      clearTimeout(limit);
      const page = frame.contentDocument; // null where the browser shows its own error page
      const entry = page && frame.contentWindow.performance.getEntriesByType("navigation")[0];
      if (!page) {
        reject(new Error("the service could not be reached"));
      } else if (entry && entry.responseStatus >= 400) {
        reject(new Error(`the service answered ${entry.responseStatus}`));
      } else {
        resolve(Promise.all([Promise.race([page.fonts.ready, wait(FONT_LIMIT_MS)]), films(page)]));
      }
    });
  });
}

async function show(message) {
  const mine = ++turn;
  if (!message.url.startsWith("/media/")) {
    send({ type: "failed", play_id: message.play_id, error: "not a creative's address" });
    return;
  }
  if (front !== null && front.url === message.url) {
    for (const frame of [...stage.children]) if (frame !== front.frame) frame.remove();
    caption(message);
    await painted();
    tell(message);
    return;
  }
  const frame = layer(message);
  stage.append(frame);
  try {
    await loaded(frame);
  } catch (error) {
    frame.remove();
    send({ type: "failed", play_id: message.play_id, error: String(error.message) });
    return;
  }
  if (mine !== turn) {
    frame.remove(); // something newer was asked for while this one loaded
    return;
  }
  await painted(); // the first frame of the creative itself, still unseen
  // A cut, as between two shots: a fade would take a part of the glance that asked for the change.
  frame.classList.add("on");
  await painted();
  if (!frame.isConnected) return; // overtaken by a return to the one beneath
  front = { frame, url: message.url };
  while (stage.firstChild !== frame) stage.firstChild.remove();
  caption(message);
  tell(message);
}

// The way to the shoppers' page, in a corner. A screen is out of reach: it is for a phone's camera.
function ask(url) {
  const link = document.getElementById("ask");
  link.hidden = !url;
  if (!url) return;
  link.href = url;
  document.getElementById("code").src = "/qr.svg";
}

function tell(message) {
  document.documentElement.dataset.playId = message.play_id;
  document.documentElement.dataset.creativeId = message.creative_id;
  send({ type: "rendered", play_id: message.play_id });
}

function hear(message) {
  if (message.type === "show") {
    show(message);
  } else if (message.type === "preload") {
    ask(message.ask);
    // Into the browser's cache, so that the first change is as quick as the tenth.
    for (const url of message.urls) fetch(url).catch(() => {});
  } else if (message.type === "stop") {
    replaced = true;
  }
}

function connect() {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  socket = new WebSocket(`${scheme}://${location.host}/ws${mirror ? "?mirror=1" : ""}`);
  const pinging = setInterval(() => {
    if (socket.readyState === WebSocket.OPEN) socket.send('{"type":"ping"}');
  }, PING_MS);
  socket.addEventListener("open", () => (retry = RETRY_MIN_MS));
  socket.addEventListener("message", (event) => hear(JSON.parse(event.data)));
  socket.addEventListener("close", () => {
    clearInterval(pinging);
    if (replaced) return; // a newer page has this screen: what is shown stays, and proves nothing
    setTimeout(connect, retry);
    retry = Math.min(2 * retry, RETRY_MAX_MS);
  });
}

connect();
