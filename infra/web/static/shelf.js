// The shelf from the layout, to scale in metres, with attention as heat.
import { freshReaction } from "./story.js";
import { duration } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";
const MARGIN_M = 0.12;
// A zone that held this much attention in the last minute glows fully; more cannot glow more. By the
// root, so that the first second is seen and the twentieth still tells from the tenth.
const FULL_HEAT_MS = 20_000;
const FULL_OPACITY = 0.62;
const BOARD_M = 0.035;

function element(parent, name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  parent.append(made);
  return made;
}

// Writes a text, smaller where it would be wider than its place.
function fit(text, words, size, width) {
  if (text.textContent === words) return;
  text.textContent = words;
  text.setAttribute("font-size", size);
  const length = text.getComputedTextLength();
  if (length > width) text.setAttribute("font-size", (size * width) / length);
}

// Draws what never changes; returns the parts that do.
export function drawShelf(svg, layout) {
  const zones = layout.zones.filter((zone) => zone.face !== null);
  const screens = layout.screens.filter((screen) => screen.face !== null);
  const faces = [...zones, ...screens].map((part) => part.face);
  if (faces.length === 0) return drawList(svg, layout);
  const x0 = Math.min(...faces.map((f) => f[0])) - MARGIN_M;
  const x1 = Math.max(...faces.map((f) => f[2])) + MARGIN_M;
  const z1 = Math.max(...faces.map((f) => f[3])) + MARGIN_M;
  const z0 = Math.min(...faces.map((f) => f[1])) - MARGIN_M;
  svg.setAttribute("viewBox", `${x0} ${-z1} ${x1 - x0} ${z1 - z0}`);
  const parts = { zones: new Map(), screens: new Map(), svg };
  for (const zone of zones) parts.zones.set(zone.zone_id, drawZone(svg, zone));
  for (const screen of screens) parts.screens.set(screen.screen_id, drawScreen(svg, screen));
  for (const camera of layout.cameras) if (camera.pose) drawCamera(svg, camera);
  parts.link = element(svg, "path", { class: "shelf-link", d: "", "data-on": "false" });
  return parts;
}

// Without faces in the layout the zones stand side by side, not to scale.
function drawList(svg, layout) {
  const zones = layout.zones.length > 0 ? layout.zones : [{ zone_id: "", name: "no zones" }];
  const placed = zones.map((zone, i) => ({ ...zone, face: [i, 0, i + 1, 1] }));
  return drawShelf(svg, { ...layout, zones: placed, screens: [], cameras: [] });
}

function drawZone(svg, zone) {
  const [x0, z0, x1, z1] = zone.face;
  const box = { x: x0, y: -z1, width: x1 - x0, height: z1 - z0 };
  const group = element(svg, "g", {});
  drawPacks(group, zone, box);
  const heat = element(group, "rect", { ...box, class: "shelf-heat", opacity: 0, rx: 0.03 });
  element(group, "rect", { ...box, class: "shelf-zone", rx: 0.03 });
  const size = Math.min(box.width, box.height, 1) * 0.13;
  const middle = { x: box.x + box.width / 2, y: box.y + box.height / 2 };
  const plate = { x: middle.x - size * 2.9, width: size * 5.8, y: middle.y - size * 1.55, height: size * 3.1 };
  element(group, "rect", { ...plate, class: "shelf-plate", rx: size * 0.5 });
  const name = element(group, "text", { x: middle.x, y: middle.y - size * 0.25, class: "shelf-name" });
  fit(name, zone.name, size, plate.width - size * 0.5);
  const value = element(group, "text", { x: middle.x, y: middle.y + size * 1.1, class: "shelf-value", "font-size": size * 1.2 }, "0.0 s");
  const eyes = element(group, "g", {});
  return { heat, value, eyes, box, size };
}

// Boards and quiet packs, different in each zone, the same at each visit.
function drawPacks(group, zone, box) {
  const boards = Math.max(2, Math.round(box.height / 0.33));
  const step = box.height / boards;
  let seed = [...zone.zone_id].reduce((sum, c) => (sum * 31 + c.charCodeAt(0)) % 997, 7);
  const width = 0.07 + (seed % 5) * 0.016;
  for (let board = 0; board < boards; board += 1) {
    const floor = box.y + (board + 1) * step;
    element(group, "rect", { x: box.x, y: floor - BOARD_M, width: box.width, height: BOARD_M, class: "shelf-board" });
    for (let x = box.x + 0.04; x + width < box.x + box.width - 0.02; x += width + 0.022) {
      seed = (seed * 73 + 19) % 997;
      const height = step * (0.52 + (seed % 28) / 100);
      element(group, "rect", { x, y: floor - BOARD_M - height, width, height, rx: 0.012, class: "shelf-pack" });
    }
  }
}

function drawScreen(svg, screen) {
  const [x0, z0, x1, z1] = screen.face;
  const group = element(svg, "g", {});
  element(group, "rect", { x: x0, y: -z1, width: x1 - x0, height: z1 - z0, rx: 0.04, class: "shelf-screen" });
  const size = Math.min((x1 - x0) * 0.085, (z1 - z0) * 0.2);
  const text = { x: (x0 + x1) / 2, class: "shelf-screen-text" };
  const title = element(group, "text", { ...text, y: -(z0 + z1) / 2 + size * 0.1, "font-size": size, "font-weight": 600 });
  const below = element(group, "text", { ...text, y: -(z0 + z1) / 2 + size * 1.35, "font-size": size * 0.78 }, "");
  return { title, below, size, width: (x1 - x0) * 0.9, foot: [(x0 + x1) / 2, -z0] };
}

function drawCamera(svg, camera) {
  const [x, , z] = camera.pose.position_m;
  const group = element(svg, "g", {});
  element(group, "title", {}, `Camera ${camera.camera_id}`);
  element(group, "circle", { cx: x, cy: -z, r: 0.055, class: "shelf-camera" });
  element(group, "circle", { cx: x, cy: -z, r: 0.022, fill: "#fff" });
}

export function heatShelf(parts, view) {
  const told = [];
  for (const target of view.targets) {
    const zone = parts.zones.get(target.target_id);
    if (zone === undefined) continue;
    zone.heat.setAttribute("opacity", (FULL_OPACITY * Math.sqrt(Math.min(1, target.attention_ms / FULL_HEAT_MS))).toFixed(3));
    const value = duration(target.attention_ms);
    if (zone.value.textContent !== value) zone.value.textContent = value;
    showEyes(zone, target.watchers ?? 0);
    told.push(`${target.name} ${value}`);
  }
  for (const screen of view.screens) {
    const drawn = parts.screens.get(screen.screen_id);
    if (drawn === undefined) continue;
    fit(drawn.title, screen.title ?? screen.creative_id ?? screen.name, drawn.size, drawn.width);
    const watchers = view.targets.find((t) => t.target_id === screen.screen_id)?.watchers ?? 0;
    const below = watchers > 0 ? `${watchers} watching` : "";
    if (drawn.below.textContent !== below) drawn.below.textContent = below;
  }
  showLink(parts, view);
  parts.svg.querySelector("title").textContent = `The shelf, as the camera sees it. ${told.join(", ")}`;
}

// A line from the zone that was looked at to the screen that answered, while that is news.
function showLink(parts, view) {
  const told = freshReaction(view);
  const zone = told && parts.zones.get(told.target_id);
  const screen = told && parts.screens.get(told.screen_id);
  const on = Boolean(zone && screen);
  parts.link.setAttribute("data-on", String(on));
  if (!on) return;
  const [x, y] = [zone.box.x + zone.box.width / 2, zone.box.y];
  const [sx, sy] = screen.foot;
  const half = (y + sy) / 2;
  parts.link.setAttribute("d", `M${x} ${y}C${x} ${half} ${sx} ${half} ${sx} ${sy}`);
}

// One dot for each person who watches the zone now.
function showEyes(zone, watchers) {
  const shown = Math.min(watchers, 8);
  if (zone.eyes.childElementCount === shown) return;
  zone.eyes.replaceChildren();
  const radius = zone.size * 0.28;
  const gap = radius * 2.8;
  const middle = zone.box.x + zone.box.width / 2;
  for (let i = 0; i < shown; i += 1) {
    const cx = middle + (i - (shown - 1) / 2) * gap;
    element(zone.eyes, "circle", { cx, cy: zone.box.y + zone.size * 0.75, r: radius, class: "shelf-eye" });
  }
}
