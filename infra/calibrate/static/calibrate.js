// The page for points: drag corners, see at once what calibration follows, save it.
// The key of a page that other machines may open is in the address after '#': it never leaves it
// but as a header of our own requests.
const key = decodeURIComponent(location.hash.slice(1)) || "page";
const $ = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";
const CORNERS = ["top left", "top right", "bottom right", "bottom left"];
const ZOOM = 4;

const KINDS = {
  opposite: {
    name: "Across the aisle",
    about: "A rectangle on the wall or shelf that the camera looks at. Its corners as the picture shows them.",
    fields: [
      ["left", "left end x, m", 0], ["right", "right end x, m", 3],
      ["low", "lower edge above the floor, m", 0], ["high", "upper edge above the floor, m", 2],
      ["away", "how far from the shelf, m", 4],
    ],
    places: CORNERS,
  },
  floor: {
    name: "Marks on the floor",
    about: "Four marks of tape: two on a line near the shelf, two further away. All four must be in the picture.",
    fields: [
      ["left", "smaller x, m", 0.5], ["right", "greater x, m", 2.5],
      ["low", "nearer line from the shelf, m", 1.5], ["high", "further line from the shelf, m", 3],
    ],
    inwards: true,
    places: ["far left", "far right", "near right", "near left"],
  },
  shelf: {
    name: "This shelf's face",
    about: "For a camera that hangs across the aisle and sees the shelf: x is the greater the further left in its picture.",
    fields: [
      ["left", "smaller x, m", 0], ["right", "greater x, m", 3],
      ["low", "lower edge above the floor, m", 0.1], ["high", "upper edge above the floor, m", 2],
    ],
    places: CORNERS,
  },
};

const picture = new Image();
const rectangles = new Map(); // name -> {kind, points, values, used, inwards, screen_id}
let chosen = "opposite", corner = 0, state = null, solved = null, pending = null, running = false;

const ask = async (path, body) => {
  const answer = await fetch(path, {
    method: body ? "POST" : "GET",
    headers: { "X-Smartstore": key, ...(body ? { "Content-Type": "application/json" } : {}) },
    body: body ? JSON.stringify(body) : undefined,
  });
  if (answer.status === 403) throw new Error("Open the address that was printed, with its key.");
  if (!answer.ok && answer.status !== 422) throw new Error(`The command answers ${answer.status}.`);
  return answer;
};

const fresh = (kind, values = {}) => ({
  kind, values, used: false, inwards: false,
  points: kind === "floor" ? [[0.35, 0.6], [0.65, 0.6], [0.8, 0.85], [0.2, 0.85]] : [[0.25, 0.25], [0.75, 0.25], [0.75, 0.75], [0.25, 0.75]],
});

async function begin() {
  state = await (await ask("/api/state")).json();
  document.title = `Calibrate ${state.camera_id}`;
  $("camera").textContent = state.camera_id;
  $("store").textContent = state.store;
  $("version").textContent = state.version;
  for (const [kind, about] of Object.entries(KINDS)) {
    const values = Object.fromEntries(about.fields.map(([name, , usual]) => [name, String(usual)]));
    if (kind !== "floor") [values.left, values.right] = state.reach.map(String);
    rectangles.set(kind, fresh(kind, values));
  }
  for (const screen of state.screens.filter((s) => !s.on_shelf)) {
    rectangles.set(screen.screen_id, { ...fresh("screen", { width: "1.00", height: "0.60" }), screen_id: screen.screen_id, name: screen.name });
  }
  if (state.pose) { $("fov").value = Math.round(state.pose.horizontal_fov_deg); tellFov(); }
  tabs();
  choose("opposite");
  await look();
  if ($("live").checked) setInterval(() => $("live").checked && !document.hidden && look(), 1000);
}

async function look() {
  try {
    const blob = await (await ask("/api/picture.jpg")).blob();
    const url = URL.createObjectURL(blob);
    await new Promise((done, failed) => { picture.onload = done; picture.onerror = failed; picture.src = url; });
    URL.revokeObjectURL(url);
    const canvas = $("canvas");
    if (canvas.width !== picture.naturalWidth) { canvas.width = picture.naturalWidth; canvas.height = picture.naturalHeight; draw(); }
    canvas.getContext("2d").drawImage(picture, 0, 0);
  } catch (error) {
    refuse(`The picture does not come: ${error.message}`);
  }
}

function tabs() {
  $("kinds").replaceChildren(...[...rectangles].map(([name, it]) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = it.kind === "screen" ? `Screen: ${it.name}` : KINDS[it.kind].name;
    button.dataset.name = name;
    button.addEventListener("click", () => choose(name));
    return button;
  }));
}

function choose(name) {
  chosen = name;
  corner = 0;
  const it = rectangles.get(name), about = KINDS[it.kind];
  for (const button of $("kinds").children) {
    button.setAttribute("aria-pressed", String(button.dataset.name === name));
    button.dataset.used = String(rectangles.get(button.dataset.name).used);
  }
  $("about").textContent = about ? about.about : "Its picture's corners, seen from the front. The camera has to be calibrated by one of the others too.";
  const fields = about ? about.fields : [["width", "width of its picture, m"], ["height", "height of its picture, m"]];
  const labels = fields.map(([field, text]) => {
    const label = document.createElement("label"), input = document.createElement("input");
    input.inputMode = "decimal"; input.autocomplete = "off"; input.value = it.values[field]; input.name = field;
    input.addEventListener("input", () => { it.values[field] = input.value; input.setAttribute("aria-invalid", String(!Number.isFinite(number(input.value)))); refit(); });
    label.append(text, input);
    return label;
  });
  if (about?.inwards) labels.push(check("the camera looks towards the shelf", it.inwards, (on) => { it.inwards = on; refit(); }));
  if (it.used) labels.push(check("use these corners", true, (on) => { it.used = on; choose(name); refit(); }));
  $("fields").replaceChildren(...labels);
  draw();
}

function check(text, on, changed) {
  const label = document.createElement("label"), input = document.createElement("input");
  label.className = "check"; input.type = "checkbox"; input.checked = on;
  input.addEventListener("change", () => changed(input.checked));
  label.append(input, text);
  return label;
}

const number = (text) => (text.trim() === "" ? NaN : Number(text.replace(",", ".")));
const names = (it) => KINDS[it.kind]?.places ?? CORNERS;

function draw() {
  const it = rectangles.get(chosen);
  if (!it) return;
  const height = 1000 * ($("canvas").height || 562) / ($("canvas").width || 1000);
  const svg = $("lines");
  svg.setAttribute("viewBox", `0 0 1000 ${height}`);
  svg.setAttribute("preserveAspectRatio", "none");
  const at = ([x, y]) => `${(1000 * x).toFixed(1)},${(height * y).toFixed(1)}`;
  const parts = [];
  const shape = (kind, points, closed) => {
    const line = document.createElementNS(SVG, closed ? "polygon" : "polyline");
    line.setAttribute("class", kind); line.setAttribute("points", points.map(at).join(" "));
    parts.push(line);
  };
  if ($("grid").checked) {
    const size = 1000 * 13 / Math.max(300, svg.clientWidth);
    for (const stroke of solved?.strokes ?? []) {
      shape(stroke.kind, stroke.points, false);
      const seen = stroke.points.filter(([x, y]) => x > 0.02 && x < 0.9 && y > 0.03 && y < 0.98);
      if (!stroke.label || !seen.length) continue;
      const text = document.createElementNS(SVG, "text");
      const [x, y] = stroke.kind === "post" ? seen.at(-1) : stroke.kind === "floor" ? seen[0] : seen[0];
      text.setAttribute("x", 1000 * x + 4); text.setAttribute("y", height * y - 4); text.setAttribute("font-size", size);
      text.textContent = stroke.kind === "post" ? `${stroke.label}` : stroke.label;
      if (stroke.kind !== "post" || !parts.some((p) => p.textContent === stroke.label)) parts.push(text);
    }
  }
  shape("quad", it.points, true);
  svg.replaceChildren(...parts);
  const holder = $("handles");
  holder.dataset.used = String(it.used);
  if (holder.children.length !== 4) holder.replaceChildren(...[0, 1, 2, 3].map(handle));
  it.points.forEach(([x, y], i) => {
    const button = holder.children[i];
    button.style.left = `${100 * x}%`; button.style.top = `${100 * y}%`;
    button.setAttribute("aria-pressed", String(i === corner));
    button.setAttribute("aria-label", `${names(it)[i]}: ${Math.round(100 * x)} % from the left, ${Math.round(100 * y)} % from the top`);
    button.firstChild.textContent = names(it)[i];
  });
}

function handle(i) {
  const button = document.createElement("button");
  button.type = "button"; button.className = "handle"; button.append(document.createElement("span"));
  button.addEventListener("pointerdown", (event) => {
    event.preventDefault(); button.focus({ focusVisible: false }); button.setPointerCapture(event.pointerId);
    corner = i;
    const it = rectangles.get(chosen), box = $("stage").getBoundingClientRect();
    // The finger covers the corner: it is moved by as much as the finger, not put beneath it.
    const from = { x: event.clientX, y: event.clientY, point: it.points[i] };
    const move = (e) => put(i, [from.point[0] + (e.clientX - from.x) / box.width, from.point[1] + (e.clientY - from.y) / box.height]);
    const end = () => { $("loupe").hidden = true; button.removeEventListener("pointermove", move); };
    button.addEventListener("pointermove", move);
    button.addEventListener("pointerup", end, { once: true });
    button.addEventListener("pointercancel", end, { once: true });
    draw(); loupe();
  });
  button.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!step) return;
    event.preventDefault();
    corner = i;
    const far = event.shiftKey ? 10 : 1, [x, y] = rectangles.get(chosen).points[i];
    put(i, [x + far * step[0] / $("canvas").width, y + far * step[1] / $("canvas").height]);
  });
  button.addEventListener("focus", () => { corner = i; draw(); loupe(); });
  button.addEventListener("blur", () => { $("loupe").hidden = true; });
  return button;
}

function put(i, [x, y]) {
  const it = rectangles.get(chosen);
  it.points = it.points.map((p, n) => (n === i ? [Math.min(1, Math.max(0, x)), Math.min(1, Math.max(0, y))] : p));
  if (!it.used) { it.used = true; const focus = corner; choose(chosen); corner = focus; }
  draw(); loupe(); refit();
}

function loupe() {
  const [x, y] = rectangles.get(chosen).points[corner], view = $("loupe"), image = $("canvas");
  const wide = view.width / ZOOM, scale = image.width / $("stage").clientWidth;
  const span = Math.max(24, wide * Math.min(1, scale));
  const brush = view.getContext("2d");
  brush.fillStyle = "#000"; brush.fillRect(0, 0, view.width, view.height);
  brush.imageSmoothingEnabled = false;
  brush.drawImage(image, x * image.width - span / 2, y * image.height - span / 2, span, span, 0, 0, view.width, view.height);
  const middle = view.width / 2;
  for (const [width, colour] of [[3, "#000"], [1, "#ffd23f"]]) {
    brush.lineWidth = width; brush.strokeStyle = colour; brush.beginPath();
    brush.moveTo(middle, 20); brush.lineTo(middle, middle - 8); brush.moveTo(middle, middle + 8); brush.lineTo(middle, view.height - 20);
    brush.moveTo(20, middle); brush.lineTo(middle - 8, middle); brush.moveTo(middle + 8, middle); brush.lineTo(view.width - 20, middle);
    brush.stroke();
  }
  // In the corner of the picture that is furthest from the finger.
  view.style.left = x > 0.5 ? "8px" : "auto"; view.style.right = x > 0.5 ? "auto" : "8px";
  view.style.top = "8px"; view.hidden = false;
}

function clicked() {
  const own = (id) => { const value = number($(id).value); return Number.isFinite(value) ? value : null; };
  const used = [...rectangles.values()].filter((it) => it.used);
  const v = (it, name) => { const value = number(it.values[name]); if (!Number.isFinite(value)) throw new Error("A length is missing: give it in metres, such as 1.25."); return value; };
  return {
    surfaces: used.filter((it) => it.kind !== "screen").map((it) => ({
      surface: it.kind, points: it.points, inwards: it.inwards,
      across_m: [v(it, "left"), v(it, "right")], other_m: [v(it, "low"), v(it, "high")],
      away_m: it.kind === "opposite" ? v(it, "away") : 0,
    })),
    screens: used.filter((it) => it.kind === "screen").map((it) => ({
      screen_id: it.screen_id, points: it.points, width_m: v(it, "width"), height_m: v(it, "height"),
    })),
    horizontal_fov_deg: Number($("fov").value), fov_is_measured: $("fovKnown").checked,
    x_m: own("x_m"), y_m: own("y_m"), z_m: own("z_m"),
  };
}

function refit() {
  $("saved").hidden = true;
  $("save").disabled = true;
  clearTimeout(pending);
  pending = setTimeout(fit, 120);
}

async function fit() {
  if (running) { pending = setTimeout(fit, 120); return; }
  running = true;
  try {
    const body = clicked();
    if (!body.surfaces.length) return refuse("Drag the four corners of a rectangle onto their places first.");
    const answer = await ask("/api/fit", body), told = await answer.json();
    if (!answer.ok) return refuse(told.refused);
    solved = told;
    tell(told);
    draw();
  } catch (error) {
    refuse(error.message);
  } finally {
    running = false;
  }
}

function refuse(text) {
  solved = null;
  $("says").textContent = text; $("says").dataset.fits = "no";
  $("figures").hidden = true; $("save").disabled = true;
  draw();
}

function tell({ pose, error, place_sigma_m, angle_sigma_deg, fov_sigma_deg, fov_measured }) {
  const px = error * $("canvas").width;
  $("says").textContent = `It fits: the corners are met within ${px.toFixed(1)} px. See whether the lines lie on the floor and the shelves.`;
  $("says").dataset.fits = "yes";
  const [x, y, z] = pose.position_m.map((value) => value.toFixed(2));
  const rows = [
    ["along the shelf, x", `${x} m`], ["from the shelf, y", `${y} m`], ["height, z", `${z} m`],
    ["one sigma of these", `${place_sigma_m.toFixed(2)} m`],
    ["yaw", `${pose.yaw_deg.toFixed(1)}°`], ["pitch", `${pose.pitch_deg.toFixed(1)}°`], ["roll", `${pose.roll_deg.toFixed(1)}°`],
    ["one sigma of these", `${angle_sigma_deg.toFixed(1)}°`],
    ["field of view", fov_measured ? `${pose.horizontal_fov_deg.toFixed(1)} ± ${fov_sigma_deg.toFixed(1)}°` : `${pose.horizontal_fov_deg.toFixed(0)}°, mostly the guess`],
  ];
  $("figures").replaceChildren(...rows.flatMap(([name, value]) => {
    const dt = document.createElement("dt"), dd = document.createElement("dd");
    dt.textContent = name; dd.textContent = value;
    return [dt, dd];
  }));
  $("figures").hidden = false;
  $("save").disabled = false;
}

$("save").addEventListener("click", async () => {
  $("save").disabled = true;
  try {
    const answer = await ask("/api/save", clicked()), told = await answer.json();
    if (!answer.ok) return refuse(told.refused);
    $("version").textContent = told.version;
    $("saved").textContent = `Saved as ${told.version} with ${told.landmarks} landmarks. The layout as it was: ${told.backup}.`
      + (told.comments_kept ? "" : " Its comments could not be kept; they are in that file.");
    $("saved").hidden = false;
  } catch (error) {
    refuse(error.message);
  }
});
const tellFov = () => { $("fovOut").textContent = `${$("fov").value}°`; };
$("fov").addEventListener("input", () => { tellFov(); refit(); });
for (const id of ["fovKnown", "x_m", "y_m", "z_m"]) $(id).addEventListener("input", refit);
$("grid").addEventListener("change", draw);
window.addEventListener("resize", draw);
begin().catch((error) => refuse(error.message));
