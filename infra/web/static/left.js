// The panel with the very messages that left the camera.
import { byId, bytes, count, setText } from "./words.js";

const EVERY_MS = 1_000;

export class LeftPanel {
  #dialog = byId("left");
  #timer = null;
  #shown = "";

  constructor() {
    byId("open-left").addEventListener("click", () => {
      this.#dialog.showModal();
      this.#refresh();
      this.#timer = setInterval(() => this.#refresh(), EVERY_MS);
    });
    this.#dialog.addEventListener("close", () => clearInterval(this.#timer));
  }

  async #refresh() {
    const list = byId("left-list");
    // Whoever reads further down, or marks a text, is not disturbed.
    const reading = list.scrollTop > 0 || String(getSelection()).length > 0;
    const page = await (await fetch("/api/left")).json();
    setText("left-messages", count(page.total.messages));
    setText("left-size", bytes(page.total.size_bytes));
    this.#showFields(page.fields);
    const key = page.messages.map((m) => `${m.topic}/${m.partition}/${m.offset}`).join();
    if (reading || key === this.#shown) return;
    this.#shown = key;
    list.replaceChildren(...page.messages.map((message) => item(message)));
  }

  #showFields(fields) {
    const list = byId("left-fields");
    if (list.childElementCount > 0) return;
    for (const [topic, names] of Object.entries(fields)) {
      const term = document.createElement("dt");
      term.textContent = topic;
      const told = document.createElement("dd");
      told.textContent = names.join(", ");
      list.append(term, told);
    }
  }
}

function item(message) {
  const made = document.createElement("li");
  const meta = document.createElement("p");
  meta.className = "meta";
  const topic = document.createElement("b");
  topic.textContent = message.topic;
  const time = document.createElement("span");
  time.textContent = new Date(message.at_ms).toLocaleTimeString();
  const size = document.createElement("span");
  size.textContent = bytes(message.size_bytes);
  const place = document.createElement("span");
  place.textContent = `partition ${message.partition}, offset ${message.offset}`;
  meta.append(topic, time, size, place);
  const text = document.createElement("pre");
  text.append(...marked(message.text));
  made.append(meta, text);
  return made;
}

// The text as it is, with the ids of tracks marked.
function marked(text) {
  return text.split(/("track_id":"[^"]*")/).map((part, i) => {
    if (i % 2 === 0) return part;
    const mark = document.createElement("mark");
    mark.textContent = part;
    return mark;
  });
}
