// The live page: follows /api/events and puts the numbers where they belong.
import { drawShelf, heatShelf } from "./shelf.js";
import { LatencyChart } from "./chart.js";
import { setUpKill, showOutage } from "./kill.js";
import { LeftPanel } from "./left.js";
import { showStory } from "./story.js";
import { ago, byId, count, duration, money, setText } from "./words.js";

const NAMES = { gaze: "gazes", dwell: "dwells", decisions: "decisions", plays: "plays", baskets: "baskets" };
const STEPS = [["infer_ms", "model"], ["event_ms", "event"], ["decide_ms", "decision"], ["render_ms", "screen"]];
// Of fewer plays a percentile says nothing that the chart does not show.
const PERCENTILE_PLAYS = 10;
const ARM_NOTES = {
  adaptive: "follows attention",
  control: "the usual rotation",
};

const config = await (await fetch("/api/config")).json();
const chart = new LatencyChart(byId("chart"));
new LeftPanel();
const shelf = drawShelf(byId("shelf"), config.layout);

setUpKill(config.can_kill_broker);
setUpArms();
fitPlayer();
follow();

function follow() {
  const source = new EventSource("/api/events");
  source.onmessage = (event) => show(JSON.parse(event.data));
  source.onerror = () => setText("now", "the page's server does not answer: the run has ended, or it comes back in a moment");
}

function show(view) {
  setText("store-name", view.store_name);
  showSimulated(view);
  showAlerts(view.alerts);
  showServers(view.servers);
  setText("people", count(view.people));
  setText("watchers", count(view.watchers));
  setText("now", nowLine(view));
  showTargets(view);
  showScreens(view);
  showLatency(view.latency);
  showBaskets(view.baskets);
  showCounts(view.counts);
  showStory(view);
  showOutage(view);
}

// What is simulated says so wherever a person reads it.
// What should be looked at now; told again only when it changed, for who listens to the page.
function showAlerts(alerts) {
  const list = byId("alerts");
  const told = JSON.stringify(alerts.map((alert) => alert.title));
  list.hidden = alerts.length === 0;
  if (list.dataset.told === told) return;
  list.dataset.told = told;
  list.replaceChildren(
    ...alerts.map((alert) => {
      const item = document.createElement("li");
      const title = document.createElement("b");
      title.textContent = alert.title;
      item.append(title, ` ${alert.sentence}`);
      return item;
    }),
  );
}

function showSimulated(view) {
  const effect = view.true_effect;
  const words = effect === null ? "simulated" : `simulated, true effect ${count(100 * effect)} %`;
  for (const id of ["simulated", "camera-simulated", "left-simulated"]) byId(id).hidden = !view.simulated;
  byId("basket-simulated").hidden = !view.baskets.some((basket) => basket.simulated);
  setText("simulated", words);
  setText("basket-simulated", words);
}

function nowLine(view) {
  if (view.silent_ms === null) return "the camera is starting …";
  if (view.people === null) return `no camera has told anything for ${ago(view.silent_ms)}`;
  const people = view.people === 1 ? "1 person in view" : `${view.people} people in view`;
  return `${people}, ${view.watchers === null ? "watchers not measured" : `${view.watchers} watching`}`;
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

function setUpArms() {
  const { slot_ms: slotMs, adaptive_share: share } = config;
  if (slotMs === null || share === null) return;
  const [adaptive, control] = byId("arms").querySelectorAll("b");
  adaptive.previousSibling.data = `A draw decides for each ${ago(slotMs)}: `;
  adaptive.textContent = `ADAPTIVE (${count(100 * share)} %)`;
  control.textContent = `CONTROL (${count(100 * (1 - share))} %)`;
}

function showLatency(latency) {
  setText("latency", latency.last_ms === null ? "–" : String(latency.last_ms));
  setText("latency-p50", latency.p50_ms === null ? "–" : `${latency.p50_ms} ms`);
  setText("latency-p95", latency.p95_ms === null ? "–" : `${latency.p95_ms} ms`);
  setText("latency-n", String(latency.plays));
  setText("latency-what", latency.plays === 1 ? "reaction" : "reactions");
  byId("latency-none").hidden = latency.plays > 0;
  byId("p95").hidden = latency.plays < PERCENTILE_PLAYS;
  showSteps(latency.last_steps);
  chart.show(latency.recent_ms);
}

function showSteps(steps) {
  if (steps === null) return;
  const bar = byId("bar");
  const legend = byId("steps");
  while (bar.childElementCount < STEPS.length) {
    bar.append(document.createElement("i"));
    legend.append(document.createElement("li"));
  }
  STEPS.forEach(([key, words], i) => {
    bar.children[i].style.flexGrow = Math.max(0, steps[key]);
    put(legend.children[i], `${words} ${steps[key]}`);
  });
}

function showBaskets(baskets) {
  const basket = baskets[0];
  if (basket === undefined) return;
  setText("transactions", count(basket.transactions));
  setText("units", basket.units_per_basket.toFixed(2));
  setText("value", money(basket.value_per_basket, basket.currency));
  setText("units-total", count(basket.units));
  setText("value-total", money(basket.value, basket.currency));
}

function showCounts(counts) {
  rows(byId("counts"), counts.map((item) => ({
    id: item.what,
    cells: [NAMES[item.what], count(item.log), count(item.database), mark(item)],
    testids: [null, `log-${item.what}`, `database-${item.what}`, `equal-${item.what}`],
    equal: item.state === "equal",
  })));
}

function mark(item) {
  if (item.state === "forgotten") return `${Math.abs(item.log - item.database)} forgotten`;
  return item.state === "equal" ? "✓" : "…";
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
