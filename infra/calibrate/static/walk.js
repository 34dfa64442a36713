// The walk test's prompts, large enough to be read from three metres.
const key = decodeURIComponent(location.hash.slice(1)) || "page";
const $ = (id) => document.getElementById(id);
const ask = async (path, method = "GET") => {
  const answer = await fetch(path, { method, headers: { "X-Smartstore": key } });
  if (answer.status === 403) throw new Error("Open the address that was printed, with its key.");
  return answer.json();
};

function show(state) {
  const walk = $("walk"), { phase } = state;
  walk.dataset.phase = phase;
  walk.dataset.walks = String(Boolean(state.walks));
  const asks = phase === "turn" || phase === "hold";
  $("how").hidden = phase !== "idle";
  $("begin").hidden = phase === "ready" || asks;
  $("begin").textContent = phase === "done" ? "Once more" : "Begin";
  $("bar").hidden = !asks;
  $("told").hidden = phase !== "done";
  put("stand", asks || phase === "ready" ? state.stand : "");
  if (phase === "idle") put("big", `${state.prompts} looks, ${Math.round(state.length_s / 60)} minutes`);
  if (phase === "ready") put("big", String(Math.ceil(state.left_s)));
  if (asks) {
    put("big", `Face ${state.face}`);
    put("count", `${state.number} of ${state.prompts}`);
    $("left").style.width = `${Math.min(100, (100 * state.left_s) / (phase === "hold" ? 2.1 : 3.4))}%`;
  } else put("count", phase === "idle" ? `The tester is taken to be ${state.height_m.toFixed(2)} m tall (--tester-height).` : "");
  if (phase === "done") {
    put("big", state.told[0]?.startsWith("Certified") ? "Certified" : "No certificate");
    const lines = state.told.map((text) => { const li = document.createElement("li"); li.textContent = text; return li; });
    if ($("told").textContent !== state.told.join("")) $("told").replaceChildren(...lines);
  }
}

// A screen reader says only what is new.
function put(id, text) { if ($(id).textContent !== text) $(id).textContent = text; }

let done = false;
async function follow() {
  try {
    const state = await ask("/api/state");
    done = state.phase === "done";
    show(state);
  } catch (error) {
    if (!done) put("big", error instanceof TypeError ? "The command has ended." : error.message);
  }
  if (!done) setTimeout(follow, 200);
}
$("begin").addEventListener("click", async () => { done = false; show(await ask("/api/begin", "POST")); follow(); });
follow();
