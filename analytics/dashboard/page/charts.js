// Bar charts on a canvas, drawn by ECharts; legends, tables and tooltips are the page's own elements.

const charts = new Map(); // From a container to its ECharts instance and its current spec.
const tooltip = document.getElementById("tooltip");
const prefersReducedMotion = matchMedia("(prefers-reduced-motion: reduce)").matches;
const measureContext = document.createElement("canvas").getContext("2d");
const MAX_LISTED_BARS = 20; // Horizontal bars below each other.
const LABEL_SIZE = 12; // pixels

/** Resolve a colour of the style sheet to a value that a canvas understands. */
function resolveColour(name) {
  tooltip.style.color = `var(--${name})`;
  return getComputedStyle(tooltip).color;
}

/**
 * Draw bars. A spec has labels, series ({name, colour, values, texts}), the flags isHorizontal,
 * isStacked and isOverlaid, picks (for each bar a function that a click calls), and formatAxis, which formats the numbers of an axis.
 */
function drawBars(container, spec, isInstant = prefersReducedMotion) {
  if (!container.checkVisibility()) return; // It has no size; it is drawn when its tab is chosen.
  if (spec.isHorizontal) {
    container.style.height = `${Math.max(3, spec.labels.length) * (spec.rowHeight ?? 34) + 8}px`;
  }
  const { chart, spec: previous } = charts.get(container) ?? createChart(container);
  charts.set(container, { chart, spec });
  chart.resize();
  const isAnimated = previous !== null && !isInstant; // The first drawing is not animated.
  chart.setOption({ ...chartOption(spec, labelWidths(container, spec)), animation: isAnimated }, { notMerge: true });
}

function createChart(container) {
  const chart = echarts.init(container, null, { renderer: "canvas" });
  new ResizeObserver(() => fitChart(container)).observe(container);
  chart.getZr().on("mousemove", (event) => showTooltip(container, event));
  chart.getZr().on("globalout", () => showTooltip(container, null));
  chart.getZr().on("click", (event) => pickBar(container, event));
  return { chart, spec: null };
}

/** Draw a chart again if the width of its container has changed. */
function fitChart(container) {
  const { chart, spec } = charts.get(container);
  if (chart.getWidth() !== container.clientWidth) drawBars(container, spec, true);
}

/** Return the widths of the labels beside horizontal bars; a quarter of the chart is for the bars. */
function labelWidths(container, { labels, series, isHorizontal }) {
  if (!isHorizontal) return {};
  const { clientWidth } = container;
  const right = textWidth(series.flatMap(({ texts = [] }) => texts.map(joinForCanvas)), 0.4 * clientWidth);
  return { left: textWidth(labels.map(plainText), 0.75 * clientWidth - right), right };
}

function textWidth(texts, limit) {
  measureContext.font = `${LABEL_SIZE}px ${getComputedStyle(document.body).fontFamily}`;
  const widths = texts.map((text) => measureContext.measureText(text).width);
  return Math.floor(Math.min(limit, 16 + Math.max(0, ...widths)));
}

function chartOption(spec, widths) {
  const categories = { type: "category", data: spec.labels.map(plainText), ...categoryAxis(spec, widths) };
  const values = { type: "value", minInterval: spec.isInteger ? 1 : 0, ...valueAxis(spec) };
  return {
    animationDurationUpdate: 250,
    aria: { enabled: false },
    textStyle: { fontFamily: getComputedStyle(document.body).fontFamily },
    grid: spec.isHorizontal
      ? { left: widths.left, right: widths.right, top: 4, bottom: 4 }
      : { left: 52, right: 8, top: 12, bottom: 26 },
    xAxis: spec.isHorizontal ? values : categories,
    yAxis: spec.isHorizontal ? { ...categories, inverse: true } : values,
    series: spec.series.map((series, index) => barSeries(spec, series, index, widths)),
  };
}

function categoryAxis({ isHorizontal }, widths) {
  const line = { show: !isHorizontal, lineStyle: { color: resolveColour("line") } };
  const label = { color: resolveColour("soft"), fontSize: LABEL_SIZE, hideOverlap: true };
  const truncation = isHorizontal ? { width: widths.left - 12, overflow: "truncate", interval: 0 } : {};
  return { axisTick: { show: false }, axisLine: line, axisLabel: { ...label, ...truncation } };
}

function valueAxis({ isHorizontal, formatAxis }) {
  if (isHorizontal) return { show: false };
  const label = { color: resolveColour("soft"), fontSize: LABEL_SIZE, formatter: formatAxis };
  return { splitNumber: 4, splitLine: { lineStyle: { color: resolveColour("line") } }, axisLabel: label };
}

function barSeries(spec, series, index, widths) {
  const colour = resolveColour(series.colour);
  return {
    type: "bar",
    name: plainText(series.name),
    data: series.values,
    stack: spec.isStacked ? "all" : undefined,
    barMaxWidth: spec.isHorizontal ? 22 : 36,
    barGap: spec.isOverlaid ? "-100%" : undefined,
    itemStyle: { color: colour, borderRadius: barRadius(spec, index), ...barOutline(series) },
    emphasis: { itemStyle: { color: colour, opacity: 0.75 } },
    label: {
      show: Boolean(spec.isHorizontal && series.texts),
      position: "right",
      color: resolveColour("ink"),
      fontSize: LABEL_SIZE,
      width: widths.right - 8,
      overflow: "truncate",
      formatter: ({ dataIndex }) => joinForCanvas(series.texts[dataIndex]),
    },
  };
}

function barRadius(spec, index) {
  const isLast = index === spec.series.length - 1;
  if (spec.isStacked && !isLast) return 0;
  return spec.isHorizontal ? [0, 4, 4, 0] : [3, 3, 0, 0];
}

/** Return an outline for bars whose colour is too faint to be seen without one. */
function barOutline(series) {
  return series.colour === "faint" ? { borderColor: resolveColour("accent"), borderWidth: 1 } : {};
}

/** Return the index of the bar under the mouse, or -1. */
function barIndexAt(container, event) {
  const { chart, spec } = charts.get(container);
  const point = [event.offsetX, event.offsetY];
  if (!chart.containPixel("grid", point) && !spec.isHorizontal) return -1;
  const index = chart.convertFromPixel({ gridIndex: 0 }, point)[spec.isHorizontal ? 1 : 0];
  return index >= 0 && index < spec.labels.length ? index : -1;
}

/** Show the tooltip of the bar under the mouse, or hide it. */
function showTooltip(container, event) {
  const { chart, spec } = charts.get(container);
  const index = event ? barIndexAt(container, event) : -1;
  chart.dispatchAction({ type: "downplay" });
  tooltip.hidden = index < 0;
  if (index < 0) return;
  chart.dispatchAction({ type: "highlight", dataIndex: index });
  chart.getZr().setCursorStyle(spec.picks?.[index] ? "pointer" : "default");
  tooltip.style.color = "";
  tooltip.replaceChildren(...tooltipContent(spec, index));
  moveTooltip(event.event);
}

function tooltipContent(spec, index) {
  const lines = spec.tooltipLines?.(index) ?? spec.series.map(({ name, texts }) => (name ? `${name} ${texts[index]}` : texts[index]));
  return [createElement("b", {}, spec.labels[index]), ...lines.map((line) => createElement("div", {}, line))];
}

function moveTooltip(mouse) {
  const left = Math.min(mouse.clientX + 14, window.innerWidth - tooltip.offsetWidth - 8);
  tooltip.style.left = `${Math.max(8, left)}px`;
  tooltip.style.top = `${Math.max(8, mouse.clientY - tooltip.offsetHeight - 12)}px`;
}

function pickBar(container, event) {
  const { spec } = charts.get(container);
  spec.picks?.[barIndexAt(container, event)]?.();
}

/** Limit the bars of a tile to those that fit the page; its table keeps all rows. */
function limitBars(tile) {
  const limitSeries = ({ values, texts, ...rest }) => ({
    ...rest,
    values: values.slice(0, MAX_LISTED_BARS),
    texts: texts.slice(0, MAX_LISTED_BARS),
  });
  return { ...tile, labels: tile.labels.slice(0, MAX_LISTED_BARS), series: tile.series.map(limitSeries) };
}
