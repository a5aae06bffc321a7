// The charts: ECharts draws the bars; the words beside them are the page's own elements.

const drawn = new Map();
const pointer = document.getElementById("pointer");
const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
const measure = document.createElement("canvas").getContext("2d");
const LABEL = 12; // pixels

/** Return a colour of the style sheet as the canvas wants it. */
function colour(name) {
  pointer.style.color = `var(--${name})`;
  return getComputedStyle(pointer).color;
}

/**
 * Draw bars. A spec has labels, series ({name, colour, values, texts}), and says whether the bars
 * lie (`lying`), stand on each other (`stacked`) or before each other (`overlaid`), and how an axis
 * writes a number (`short`).
 */
function drawBars(place, spec, atOnce = still) {
  if (spec.lying) place.style.height = `${Math.max(3, spec.labels.length) * (spec.thickness ?? 34) + 8}px`;
  const { chart, spec: before } = drawn.get(place) ?? newChart(place);
  drawn.set(place, { chart, spec });
  chart.resize();
  const moves = before !== null && !atOnce; // What is there from the beginning does not grow first.
  chart.setOption({ ...barOption(spec, roomOf(place, spec)), animation: moves }, { notMerge: true });
}

function newChart(place) {
  const chart = echarts.init(place, null, { renderer: "canvas" });
  new ResizeObserver(() => chart.resize()).observe(place);
  chart.getZr().on("mousemove", (event) => pointAt(place, event));
  chart.getZr().on("globalout", () => pointAt(place, null));
  chart.getZr().on("click", (event) => pick(place, event));
  return { chart, spec: null };
}

/** Return how wide the texts before and behind lying bars are; a quarter of the chart is the bars'. */
function roomOf(place, { labels, series, lying }) {
  if (!lying) return {};
  const behind = roomFor(series.flatMap(({ texts = [] }) => texts.map(listedText)), 0.4 * place.clientWidth);
  return { before: roomFor(labels.map(plain), 0.75 * place.clientWidth - behind), behind };
}

function roomFor(texts, most) {
  measure.font = `${LABEL}px ${getComputedStyle(document.body).fontFamily}`;
  const widths = texts.map((text) => measure.measureText(text).width);
  return Math.floor(Math.min(most, 16 + Math.max(0, ...widths)));
}

function barOption(spec, room) {
  const names = { type: "category", data: spec.labels.map(plain), ...nameAxis(spec, room) };
  const numbers = { type: "value", minInterval: spec.whole ? 1 : 0, ...numberAxis(spec) };
  return {
    animationDurationUpdate: 250,
    aria: { enabled: false },
    textStyle: { fontFamily: getComputedStyle(document.body).fontFamily },
    grid: spec.lying
      ? { left: room.before, right: room.behind, top: 4, bottom: 4 }
      : { left: 52, right: 8, top: 12, bottom: 26 },
    xAxis: spec.lying ? numbers : names,
    yAxis: spec.lying ? { ...names, inverse: true } : numbers,
    series: spec.series.map((series, place) => barSeries(spec, series, place, room)),
  };
}

function nameAxis({ lying }, room) {
  const line = { show: !lying, lineStyle: { color: colour("line") } };
  const label = { color: colour("soft"), fontSize: LABEL, hideOverlap: true };
  const cut = lying ? { width: room.before - 12, overflow: "truncate", interval: 0 } : {};
  return { axisTick: { show: false }, axisLine: line, axisLabel: { ...label, ...cut } };
}

function numberAxis({ lying, short }) {
  if (lying) return { show: false };
  const label = { color: colour("soft"), fontSize: LABEL, formatter: short };
  return { splitNumber: 4, splitLine: { lineStyle: { color: colour("line") } }, axisLabel: label };
}

function barSeries(spec, series, place, { behind }) {
  const isLast = place === spec.series.length - 1;
  const round = spec.stacked && !isLast ? 0 : spec.lying ? [0, 4, 4, 0] : [3, 3, 0, 0];
  return {
    type: "bar",
    name: plain(series.name),
    data: series.values,
    stack: spec.stacked ? "all" : undefined,
    barMaxWidth: spec.lying ? 22 : 36,
    barGap: spec.overlaid ? "-100%" : undefined,
    itemStyle: { color: colour(series.colour), borderRadius: round, ...edge(series) },
    emphasis: { itemStyle: { color: colour(series.colour), opacity: 0.75 } },
    label: {
      show: Boolean(spec.lying && series.texts),
      position: "right",
      color: colour("ink"),
      fontSize: LABEL,
      width: behind - 8,
      overflow: "truncate",
      formatter: ({ dataIndex }) => listedText(series.texts[dataIndex]),
    },
  };
}

/** Return the line around bars of a colour that is too faint to be seen without. */
function edge(series) {
  return series.colour === "faint" ? { borderColor: colour("accent"), borderWidth: 1 } : {};
}

/** Return the place of the bar below the mouse, or -1. */
function barAt(place, event) {
  const { chart, spec } = drawn.get(place);
  const at = [event.offsetX, event.offsetY];
  if (!chart.containPixel("grid", at) && !spec.lying) return -1;
  const index = chart.convertFromPixel({ gridIndex: 0 }, at)[spec.lying ? 1 : 0];
  return index >= 0 && index < spec.labels.length ? index : -1;
}

/** Tell what the bar below the mouse stands for, beside the mouse. */
function pointAt(place, event) {
  const { chart, spec } = drawn.get(place);
  const index = event ? barAt(place, event) : -1;
  chart.dispatchAction({ type: "downplay" });
  pointer.hidden = index < 0;
  if (index < 0) return;
  chart.dispatchAction({ type: "highlight", dataIndex: index });
  chart.getZr().setCursorStyle(spec.pick ? "pointer" : "default");
  pointer.style.color = "";
  pointer.replaceChildren(...told(spec, index));
  beside(event.event);
}

function told(spec, index) {
  const lines = spec.told?.(index) ?? spec.series.map(({ name, texts }) => (name ? `${name} ${texts[index]}` : texts[index]));
  return [element("b", {}, spec.labels[index]), ...lines.map((line) => element("div", {}, line))];
}

function beside(mouse) {
  const { innerWidth } = window;
  const left = Math.min(mouse.clientX + 14, innerWidth - pointer.offsetWidth - 8);
  pointer.style.left = `${Math.max(8, left)}px`;
  pointer.style.top = `${Math.max(8, mouse.clientY - pointer.offsetHeight - 12)}px`;
}

function pick(place, event) {
  const { spec } = drawn.get(place);
  const index = barAt(place, event);
  if (spec.pick && index >= 0) spec.pick(index);
}
