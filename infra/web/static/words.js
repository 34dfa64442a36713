// Small helpers: elements by id, and numbers as people read them.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });

export function byId(id) {
  return document.getElementById(id);
}

export function setText(id, text) {
  const element = byId(id);
  if (element.textContent !== text) element.textContent = text;
}

export function count(value) {
  return value === null || value === undefined ? "–" : whole.format(value);
}

export function duration(ms) {
  return `${(ms / 1000).toFixed(ms < 100_000 ? 1 : 0)} s`;
}

export function ago(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  return seconds < 90 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
}

export function money(value, currency) {
  return new Intl.NumberFormat("en", { style: "currency", currency }).format(value);
}

export function bytes(size) {
  if (size < 1_000) return `${size} B`;
  return size < 1_000_000 ? `${(size / 1_000).toFixed(1)} kB` : `${(size / 1_000_000).toFixed(1)} MB`;
}

export function clock(ms) {
  return new Date(ms).toLocaleTimeString("en-GB");
}

export function seconds(ms) {
  return `${(Math.max(0, ms) / 1000).toFixed(1)} s`;
}
