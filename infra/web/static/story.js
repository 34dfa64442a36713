// The last reaction as a story of three steps, and the line that joins its zone with the screen.
import { ago, byId, setText } from "./words.js";

// As long as this a reaction is news, and shines.
const FRESH_MS = 5_000;

export function showStory(view) {
  const told = view.reaction;
  if (told === null) return;
  const age = view.at_ms - told.rendered_at_ms;
  const card = byId("story");
  card.dataset.told = "yes";
  card.dataset.fresh = String(freshReaction(view) !== null);
  byId("story-wait").hidden = true;
  byId("story-steps").hidden = false;
  setText("story-target", told.target_name ?? "a shelf");
  setText("story-creative", told.title ?? told.creative_id);
  setText("story-ms", `${told.latency_ms} ms`);
  setText("story-age", age < FRESH_MS ? "just now" : `${ago(age)} ago`);
}

// A reaction that is news and still on the glass; null where there is none.
export function freshReaction(view) {
  const told = view.reaction;
  if (told === null || view.at_ms - told.rendered_at_ms >= FRESH_MS) return null;
  const screen = view.screens.find((item) => item.screen_id === told.screen_id);
  return screen?.creative_id === told.creative_id ? told : null;
}
