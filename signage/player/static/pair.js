// Asks for the one-time code. A code in the address (after the #, which no server is told) fills it in.
"use strict";

const given = new URLSearchParams(location.hash.slice(1));
const field = document.getElementById("code");
const said = document.getElementById("said");
history.replaceState(null, "", location.pathname);

if (given.get("fingerprint")) {
  const line = document.getElementById("fingerprint");
  line.querySelector("code").textContent = given.get("fingerprint");
  line.hidden = false;
}
if (given.get("code")) field.value = given.get("code");

document.getElementById("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  said.textContent = "";
  try {
    const answer = await fetch("/pair", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ code: field.value }),
    });
    if (answer.ok) {
      location.replace("/");
      return;
    }
    said.textContent = (await answer.json()).detail;
  } catch {
    said.textContent = "The player did not answer.";
  }
});
