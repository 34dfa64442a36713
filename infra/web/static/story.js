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
  card.dataset.fresh = String(age < FRESH_MS);
  byId("story-wait").hidden = true;
  byId("story-steps").hidden = false;
  setText("story-target", told.target_name ?? "a shelf");
  setText("story-creative", told.title ?? told.creative_id);
  setText("story-ms", `${told.latency_ms} ms`);
  setText("story-age", age < FRESH_MS ? "just now" : `${ago(age)} ago`);
}

// The target and the screen of a reaction that is news; null where there is none.
export function freshReaction(view) {
  const told = view.reaction;
  return told !== null && view.at_ms - told.rendered_at_ms < FRESH_MS ? told : null;
}
