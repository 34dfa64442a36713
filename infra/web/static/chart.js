// The newest plays' time from glance to screen, drawn with uPlot.
/* global uPlot */

const dark = matchMedia("(prefers-color-scheme: dark)");

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

export class LatencyChart {
  #element;
  #plot = null;
  #shown = "";

  constructor(element) {
    this.#element = element;
    new ResizeObserver(() => this.#plot?.setSize(this.#size())).observe(element);
    dark.addEventListener("change", () => {
      this.#plot?.destroy();
      this.#plot = null;
      this.#shown = "";
    });
  }

  show(recentMs) {
    const key = recentMs.join();
    if (key === this.#shown) return;
    this.#shown = key;
    const data = [recentMs.map((_, i) => i + 1), recentMs];
    if (this.#plot === null) this.#plot = new uPlot(this.#options(), data, this.#element);
    else this.#plot.setData(data);
  }

  #size() {
    return { width: Math.max(80, this.#element.clientWidth), height: Math.max(50, this.#element.clientHeight) };
  }

  #options() {
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    const text = { stroke: colour("--soft"), font: `${Math.round(rem * 0.75)}px system-ui, sans-serif` };
    const accent = colour("--accent");
    return {
      ...this.#size(),
      cursor: { show: false },
      legend: { show: false },
      padding: [rem * 0.5, rem * 0.3, rem * 0.2, 0],
      scales: { x: { time: false }, y: { range: (_, __, most) => [0, Math.max(100, most * 1.15)] } },
      axes: [
        { show: false },
        { ...text, size: rem * 2.9, ticks: { show: false }, grid: { stroke: colour("--line"), width: 1 }, space: rem * 1.6 },
      ],
      series: [
        {},
        { stroke: accent, width: Math.max(1.5, rem / 10), fill: `${accent}22`, points: { show: true, size: rem / 2.8, fill: accent } },
      ],
    };
  }
}
