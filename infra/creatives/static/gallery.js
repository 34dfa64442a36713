// A frame without scripts may not start its video by itself; the page does it, as a player does.
"use strict";

function play(frame) {
  const page = frame.contentDocument;
  if (page !== null) for (const video of page.querySelectorAll("video")) video.play().catch(() => {});
}

for (const frame of document.querySelectorAll("iframe")) {
  frame.addEventListener("load", () => play(frame));
  play(frame);
}
