// The live page: follows /api/events and puts the numbers where they belong.
import { drawShelf, heatShelf } from "./shelf.js";
import { LatencyChart } from "./chart.js";
import { LeftPanel } from "./left.js";
import { ago, byId, count, duration, money, setText } from "./words.js";

const NAMES = { gaze: "gazes", dwell: "dwells", decisions: "decisions", plays: "plays", baskets: "baskets" };
const STEPS = [["infer_ms", "seen after"], ["event_ms", "told"], ["decide_ms", "decided"], ["render_ms", "on the glass"]];
const COUNT_PATIENCE_MS = 20_000;
const ARM_NOTES = {
  adaptive: "this time slot follows attention",
  control: "this time slot keeps to the usual rotation, to compare with",
};

const config = await (await fetch("/api/config")).json();
const chart = new LatencyChart(byId("chart"));
new LeftPanel();
const shelf = drawShelf(byId("shelf"), config.layout);
let newest = null;

setUpKill();
fitPlayer();
follow();

function follow() {
  const source = new EventSource("/api/events");
  source.onmessage = (event) => show(JSON.parse(event.data));
  source.onerror = () => setText("now", "the page's server does not answer; trying again …");
}

function show(view) {
  newest = view;
  setText("store-name", view.store_name);
  byId("simulated").hidden = !view.simulated;
  showServers(view.servers);
  setText("people", count(view.people));
  setText("watchers", count(view.watchers));
  setText("now", nowLine(view));
  showTargets(view);
  showScreens(view);
  showLatency(view.latency);
  showBaskets(view.baskets);
  showCounts(view.counts);
}

function nowLine(view) {
  if (view.people === null) return "no camera tells anything right now";
  const people = view.people === 1 ? "1 person in view" : `${view.people} people in view`;
  return `${people}, ${view.watchers} watching`;
}

function showServers(servers) {
  for (const name of ["broker", "database"]) {
    const item = byId(`server-${name}`);
    item.dataset.up = String(servers[name]);
    item.querySelector(".state").textContent = servers[name] ? "on" : "away";
  }
  embed("camera", "camera-empty", servers.preview, config.preview_url, true);
  embed("player", "player-empty", servers.player, config.player_url, false);
}

// A picture stream ends with its server and must be asked for anew; a player finds its server again.
function embed(id, emptyId, up, url, again) {
  const element = byId(id);
  const wanted = up === true && url !== null;
  byId(emptyId).hidden = wanted || (!again && element.dataset.loaded === "true");
  if (wanted && element.dataset.loaded !== "true") {
    element.dataset.loaded = "true";
    element.src = url;
    element.hidden = false;
  } else if (!wanted && again && element.dataset.loaded === "true") {
    element.dataset.loaded = "false";
    element.removeAttribute("src");
    element.hidden = true;
  }
}

function showTargets(view) {
  const zones = view.targets.filter((target) => target.target_kind === "zone");
  heatShelf(shelf, view);
  rows(byId("zones"), zones.map((zone) => ({
    id: zone.target_id,
    cells: [zone.name, count(zone.watchers), duration(zone.attention_ms)],
    testids: [null, `watchers-${zone.target_id}`, `attention-${zone.target_id}`],
  })));
}

function showScreens(view) {
  const list = byId("screens");
  while (list.children.length < view.screens.length) {
    const item = document.createElement("li");
    item.append(document.createElement("span"), document.createElement("span"));
    item.children[0].className = "title";
    item.children[1].className = "note";
    list.append(item);
  }
  view.screens.forEach((screen, i) => {
    const [title, note] = list.children[i].children;
    title.dataset.testid = `showing-${screen.screen_id}`;
    put(title, screen.title ?? screen.creative_id ?? "nothing told yet");
    const since = screen.since_ms === null ? "" : `, for ${ago(view.at_ms - screen.since_ms)}`;
    put(note, `${screen.name}${since}`);
  });
  showWhy(view.screens.find((screen) => screen.creative_id !== null));
}

function showWhy(screen) {
  const badge = byId("arm");
  if (screen === undefined) return;
  const own = "The screen goes on with its own rotation.";
  setText("sentence", screen.sentence ?? own);
  badge.dataset.arm = screen.arm ?? "none";
  put(badge, screen.arm ? screen.arm.toUpperCase() : "OWN ROTATION");
  setText("arm-note", ARM_NOTES[screen.arm] ?? "");
}

function showLatency(latency) {
  setText("latency", latency.last_ms === null ? "–" : String(latency.last_ms));
  setText("latency-p50", latency.p50_ms === null ? "–" : `${latency.p50_ms} ms`);
  setText("latency-p95", latency.p95_ms === null ? "–" : `${latency.p95_ms} ms`);
  setText("latency-n", String(latency.plays));
  const steps = latency.last_steps;
  setText("steps", steps === null ? "" : STEPS.map(([key, words]) => `${words} ${steps[key]}`).join(" · "));
  chart.show(latency.recent_ms);
}

function showBaskets(baskets) {
  const basket = baskets[0];
  if (basket === undefined) return;
  byId("basket-simulated").hidden = !basket.simulated;
  setText("transactions", count(basket.transactions));
  setText("units", basket.units_per_basket.toFixed(2));
  setText("value", money(basket.value_per_basket, basket.currency));
  setText("units-total", count(basket.units));
  setText("value-total", money(basket.value, basket.currency));
}

function showCounts(counts) {
  rows(byId("counts"), counts.map((item) => ({
    id: item.what,
    cells: [NAMES[item.what], count(item.log), count(item.database), item.log === item.database ? "✓" : "…"],
    testids: [null, `log-${item.what}`, `database-${item.what}`, `equal-${item.what}`],
    equal: item.log !== null && item.log === item.database,
  })));
}

// Rows are kept and only their changed cells written, so that nothing flickers.
function rows(body, wanted) {
  while (body.rows.length < wanted.length) {
    const row = body.insertRow();
    const head = document.createElement("th");
    head.scope = "row";
    row.append(head);
    for (let i = 1; i < wanted[0].cells.length; i += 1) row.insertCell();
  }
  wanted.forEach((item, i) => {
    item.cells.forEach((text, j) => {
      const cell = body.rows[i].cells[j];
      if (item.testids[j]) cell.dataset.testid = item.testids[j];
      if (item.equal !== undefined && j === item.cells.length - 1) {
        cell.className = "equal";
        cell.dataset.equal = String(item.equal);
      }
      put(cell, text);
    });
  });
}

function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function setUpKill() {
  const button = byId("kill");
  button.hidden = !config.can_kill_broker;
  button.addEventListener("click", async () => {
    button.disabled = true;
    const before = newest?.servers.broker_breaks ?? 0;
    const began = performance.now();
    setText("kill-note", "Killing the broker …");
    const answer = await fetch("/api/kill-broker", { method: "POST", headers: { "X-Smartstore": "page" } });
    if (!answer.ok) {
      setText("kill-note", "The broker could not be killed: the control address did not agree.");
      button.disabled = false;
      return;
    }
    setText("kill-note", "The broker is dead. Look at the screen: it stays lit.");
    tellRecovery(before, began, () => { button.disabled = false; });
  });
}

function tellRecovery(breaksBefore, began, done) {
  let backAt = null;
  const timer = setInterval(() => {
    const { broker, broker_breaks: breaks } = newest.servers;
    if (backAt === null) {
      if (!broker || breaks === breaksBefore) return;
      backAt = performance.now();
    }
    const seconds = ((backAt - began) / 1000).toFixed(1);
    const equal = newest.counts.every((item) => item.log !== null && item.log === item.database);
    // A shop that is busy is always some event ahead of its database; so this is not asked for ever.
    if (!equal && performance.now() - backAt < COUNT_PATIENCE_MS) {
      setText("kill-note", `The broker is back after ${seconds} s. Comparing the counts …`);
      return;
    }
    clearInterval(timer);
    const outcome = equal ? "the counts are equal: nothing lost, nothing twice" : "the counts are not equal yet: see above";
    setText("kill-note", `The broker is back after ${seconds} s, and ${outcome}.`);
    done();
  }, 200);
}

// The player's page is laid out for its screen's pixels and scaled to fit, as on the wall.
function fitPlayer() {
  const stage = byId("player-stage");
  const player = byId("player");
  const screen = config.layout.screens[0] ?? { width_px: 1920, height_px: 1080 };
  const fit = () => {
    const scale = Math.min(stage.clientWidth / screen.width_px, stage.clientHeight / screen.height_px);
    player.style.width = `${screen.width_px}px`;
    player.style.height = `${screen.height_px}px`;
    const left = (stage.clientWidth - screen.width_px * scale) / 2;
    const top = (stage.clientHeight - screen.height_px * scale) / 2;
    player.style.transform = `translate(${left}px, ${top}px) scale(${scale})`;
  };
  new ResizeObserver(fit).observe(stage);
  fit();
}
