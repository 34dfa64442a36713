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
// Painted frames that are held ready: some 8 MB each on a full-HD screen.
const WARM_LIMIT = 8;

let socket = null;
let replaced = false;
let retry = RETRY_MIN_MS;
let front = null; // the frame that is fully painted, with its address
let turn = 0; // counts the shows; only the newest may still come to the front
let coming = null; // the frame that was lifted last
let height = 1; // of the newest frame on the glass; what waits lies at 0, below the cover at 1
let wanted = []; // the addresses that shall be warm
let warming = false;
const warm = new Map(); // frames that wait behind the glass, or are on it, by address
const cold = new Set(); // addresses that could not be loaded beforehand

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
  frame.title = message.alt_text ?? "";
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

// What waits behind the glass stands still, and costs nothing.
function rest(frame) {
  const page = frame.contentDocument;
  if (page === null) return;
  for (const film of page.querySelectorAll("video")) {
    film.pause();
    film.currentTime = 0;
  }
  for (const animation of page.getAnimations()) animation.pause();
  frame.classList.remove("on");
  frame.style.zIndex = "";
  frame.inert = true;
}

async function wake(frame) {
  const page = frame.contentDocument;
  for (const animation of page.getAnimations()) animation.play();
  await films(page);
}

// Puts what may be asked for behind what is on the glass: loaded, painted and standing still, so
// that showing it is one frame of the display and no loading. One after the other, and again from
// the list's beginning when the list changes.
async function warmUp(urls) {
  wanted = urls.slice(0, WARM_LIMIT);
  for (const [url, frame] of warm) if (!wanted.includes(url)) forget(url, frame);
  if (warming) return;
  warming = true;
  try {
    for (let url; (url = wanted.find((each) => !warm.has(each) && !cold.has(each))); ) {
      const frame = layer({ url });
      frame.inert = true;
      stage.append(frame);
      try {
        await loaded(frame);
      } catch {
        frame.remove();
        cold.add(url); // it is tried again, and failed aloud, when it is asked for
        continue;
      }
      rest(frame);
      if (wanted.includes(url)) warm.set(url, frame);
      else frame.remove();
    }
  } finally {
    warming = false;
  }
}

function forget(url, frame) {
  warm.delete(url);
  if (front === null || front.frame !== frame) frame.remove();
}

// What has left the glass goes back behind it, or away.
function retire(frame) {
  if (frame === front?.frame || frame === coming) return;
  if ([...warm.values()].includes(frame)) rest(frame);
  else frame.remove();
}

// All that lies beneath what is lit now.
function sweep() {
  for (const frame of [...stage.children]) if (frame.classList.contains("on")) retire(frame);
}

// The frame of a message, loaded; a warm one at once.
async function ready(message) {
  const known = warm.get(message.url);
  if (known !== undefined) {
    known.title = message.alt_text;
    await wake(known);
    return known;
  }
  const frame = layer(message);
  stage.append(frame);
  try {
    await loaded(frame);
  } catch (error) {
    frame.remove();
    throw error;
  }
  await painted(); // the first frame of the creative itself, still unseen
  return frame;
}

async function show(message) {
  const mine = ++turn;
  if (!message.url.startsWith("/media/")) {
    send({ type: "failed", play_id: message.play_id, error: "not a creative's address" });
    return;
  }
  if (front !== null && front.url === message.url) {
    lift(front.frame); // also over one that was about to come
    caption(message);
    await painted();
    sweep();
    tell(message);
    return;
  }
  let frame;
  try {
    frame = await ready(message);
  } catch (error) {
    send({ type: "failed", play_id: message.play_id, error: String(error.message) });
    return;
  }
  if (mine !== turn) {
    retire(frame); // something newer was asked for while this one loaded
    return;
  }
  // A cut, as between two shots: a fade would take a part of the glance that asked for the change.
  lift(frame);
  await painted();
  if (coming !== frame) return; // something newer covers it already
  front = { frame, url: message.url };
  sweep();
  caption(message);
  tell(message);
}

// On top of whatever is lit; nothing else is touched, so nothing is laid out anew.
function lift(frame) {
  coming = frame;
  wake(frame).catch(() => {}); // what was overtaken may have put it to rest meanwhile
  frame.inert = false;
  frame.classList.add("on");
  frame.style.zIndex = String(++height);
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
    cold.clear();
    // Into the browser's cache first, so that the first change is as quick as the tenth.
    Promise.allSettled(message.urls.map((url) => fetch(url))).then(() => {
      if (!mirror) warmUp(message.urls);
    });
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
