// The button that kills the broker, and the story of what happens then.
import { byId, clock, count, seconds, setText } from "./words.js";

const HINT = "Kill the broker and look: the screen stays lit, and the counts come out equal.";

export function setUpKill(allowed) {
  const button = byId("kill");
  button.hidden = !allowed;
  if (!allowed) return;
  tell("idle", HINT);
  button.addEventListener("click", async () => {
    button.disabled = true;
    tell("killing", "Killing the broker …");
    const answer = await fetch("/api/kill-broker", { method: "POST", headers: { "X-Smartstore": "page" } });
    // The story goes on with what the server tells; it may be pressed again once that is over.
    if (answer.ok) return;
    tell("refused", "The broker could not be killed: the control address did not agree.");
    button.disabled = false;
  });
}

export function showOutage(view) {
  const outage = view.outage;
  if (outage === null) return;
  const began = outage.killed_at_ms ?? outage.gone_at_ms;
  const told = [`${outage.killed_at_ms === null ? "Broker gone" : "Killed"} at ${clock(began)}: the screen plays on.`];
  let stage = "away";
  if (outage.back_at_ms !== null) {
    stage = "back";
    told.push(`Back after ${seconds(outage.back_at_ms - began)}.`);
  }
  if (outage.equal_at_ms !== null) {
    stage = "equal";
    told.push(`Counts equal again after ${seconds(outage.equal_at_ms - began)}: nothing lost, nothing twice.`);
    const forgot = view.counts.filter((item) => item.state === "forgotten");
    if (forgot.length > 0) {
      const many = forgot.reduce((sum, item) => sum + Math.abs(item.log - item.database), 0);
      told[told.length - 1] = `Counts settled after ${seconds(outage.equal_at_ms - began)}; the dying broker forgot ${count(many)}.`;
    }
    byId("kill").disabled = false;
  } else if (stage === "back") {
    told.push("Comparing the counts …");
  }
  if (view.broker_forgot > 0) {
    told.push(`The embedded broker lost ${count(view.broker_forgot)} stored ${view.broker_forgot === 1 ? "record" : "records"} of its last second; the sink noticed, by offset.`);
  }
  tell(stage, told.join(" "));
}

function tell(stage, text) {
  byId("kill-note").dataset.stage = stage;
  setText("kill-note", text);
}
