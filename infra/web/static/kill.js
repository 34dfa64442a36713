// The button that kills the broker, and the story of what happens then.
import { byId, clock, count, seconds } from "./words.js";

export function setUpKill(allowed) {
  const button = byId("kill");
  button.hidden = byId("kill-hint").hidden = !allowed;
  button.addEventListener("click", async () => {
    button.disabled = true;
    tell("killing", ["Killing the broker …"]);
    const answer = await fetch("/api/kill-broker", { method: "POST", headers: { "X-Smartstore": "page" } });
    // The story goes on with what the server tells; it may be pressed again once that is over.
    if (answer.ok) return;
    tell("refused", ["The broker could not be killed: the control address did not agree."]);
    button.disabled = false;
  });
}

export function showOutage(view) {
  const outage = view.outage;
  if (outage === null) return;
  const began = outage.killed_at_ms ?? outage.gone_at_ms;
  const told = [`Broker ${outage.killed_at_ms === null ? "gone" : "killed"} at ${clock(began)}: the screen plays on`];
  let stage = "away";
  if (outage.back_at_ms !== null) {
    stage = "back";
    told.push(`back after ${seconds(outage.back_at_ms - began)}`);
  }
  if (outage.equal_at_ms !== null) {
    stage = "equal";
    told.push(settled(view, seconds(outage.equal_at_ms - began)));
    byId("kill").disabled = false;
  } else if (stage === "back") {
    told.push("comparing the counts …");
  }
  tell(stage, told);
}

function settled(view, after) {
  const forgot = view.counts.filter((item) => item.state === "forgotten");
  const many = forgot.reduce((sum, item) => sum + Math.abs(item.log - item.database), 0);
  const outcome = many === 0
    ? `counts equal again after ${after}: nothing lost, nothing twice`
    : `counts settled after ${after}: all but ${count(many)} that the dying broker forgot`;
  if (view.broker_forgot === 0) return outcome;
  // The sink found these by their offsets; it had stored them before the broker forgot them.
  const records = view.broker_forgot === 1 ? "record" : "records";
  return `${outcome} (the embedded broker forgot ${count(view.broker_forgot)} ${records}; they had been stored)`;
}

function tell(stage, steps) {
  byId("outage").hidden = false;
  const list = byId("kill-note");
  list.dataset.stage = stage;
  while (list.children.length > steps.length) list.lastElementChild.remove();
  steps.forEach((words, i) => {
    if (list.children.length <= i) list.append(step(i + 1));
    const told = list.children[i].lastElementChild;
    if (told.textContent !== words) told.textContent = words;
  });
}

function step(number) {
  const item = document.createElement("li");
  const nr = document.createElement("span");
  nr.className = "nr";
  nr.textContent = String(number);
  nr.ariaHidden = "true";
  item.append(nr, document.createElement("span"));
  return item;
}
