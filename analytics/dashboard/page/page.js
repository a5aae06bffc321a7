// The page: filters in the address, the tiles below them, the theme and the refresh. What it shows
// is the `view`, either that of the shop or that of any table.

const DAY_PATTERN = /^\d{4}-\d\d-\d\d$/;
const CHOOSING_MS = 20e3; // A reader who touched a filter this recently is still choosing.
const FILTER_NAMES = ["period", "from", "to", ...view.lists, "grain"];
const PRESETS = {
  "7-days": (day) => addDays(day, -6),
  "28-days": (day) => addDays(day, -27),
  "90-days": (day) => addDays(day, -89),
  month: (day) => `${day.slice(0, 7)}-01`,
  year: firstDayOfYear,
};
// For each chart a function that returns its tile: its summary, its bars and its table.
const tiles = { ...view.tiles, "per-hour": perHourTile };
const settings = new Map(); // In place of localStorage where the browser blocks it.
let pageData, rows; // The document inside the page, and its facts.
let madeOn, firstDay, lastDay; // The day of the page, and the first and last one of its data.
let choices; // The values that filters may have.
let filters;
let figures;
let touchedAt = 0;

/** Read the document inside the page. */
async function readDocument() {
  const binary = atob(document.getElementById("facts").textContent);
  const bytes = new Uint8Array(binary.length);
  for (let index = 0; index < binary.length; index++) bytes[index] = binary.charCodeAt(index);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

/** Take over the document: its facts, their days and the values that filters may have. */
function loadDocument(data) {
  pageData = data;
  rows = view.decodeFacts(pageData.facts);
  madeOn = businessDay(parseTime(pageData.made_at));
  ({ first: firstDay, last: lastDay } = view.dataDays(rows, madeOn));
  choices = {
    tab: ["pipeline"],
    period: Object.keys(PRESETS),
    ...view.listChoices(rows),
    grain: ["week", "month"],
  };
  filters = readFilters();
}

/** Read the filters from the address, without those that the page does not know. */
function readFilters() {
  const parameters = new URLSearchParams(location.hash.slice(1));
  const isValid = (name, value) => choices[name]?.includes(value) ?? isDay(value);
  const entries = ["tab", ...FILTER_NAMES].map((name) => [name, parameters.get(name)]);
  const valid = Object.fromEntries(entries.map(([name, value]) => [name, isValid(name, value) ? value : null]));
  return valid.period === null ? valid : { ...valid, ...presetDays(valid.period) };
}

/** Return the days of a preset: they end on the last day of the data, so a link to it moves along. */
function presetDays(period) {
  if (period === null) return { from: null, to: null };
  const to = lastDay ?? madeOn;
  return { from: PRESETS[period](to), to };
}

/** Return whether a text is a date of the calendar. */
function isDay(text) {
  const time = DAY_PATTERN.test(text) ? parseTime(text) : NaN;
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(text);
}

/** Set a filter, or clear it if it has this value already. */
function toggleFilter(name, value) {
  setFilter(name, filters[name] === value ? null : value);
}

/** Set a filter (null clears it). */
function setFilter(name, value) {
  setFilters({ ...filters, ...relatedFilters(name, value), [name]: value });
}

/** Return what else a filter sets: a preset its days, and a day that it is no preset. */
function relatedFilters(name, value) {
  if (name === "period") return presetDays(value);
  return ["from", "to"].includes(name) ? { period: null } : {};
}

/** Set all filters, as a new entry of the browser's history, and update the page. */
function setFilters(newFilters) {
  filters = newFilters;
  const address = addressOf(filters);
  if (address !== location.hash) history.pushState(null, "", address || location.pathname + location.search);
  render();
  announce();
}

/** Return the part of the address that holds the filters; the days of a preset follow from it. */
function addressOf({ from, to, ...others }) {
  const entries = Object.entries(others.period === null ? { from, to, ...others } : others);
  const address = String(new URLSearchParams(entries.filter(([, text]) => text !== null)));
  return address && `#${address}`;
}

/** Compute the figures under the current filters, and choose the tab. */
function updateFigures() {
  figures = view.computeFigures(rows, filters, { today: madeOn, firstDay, lastDay });
  showTab(filters.tab ?? TABS[0]);
}

/** Render everything under the current filters. */
function render() {
  updateFigures();
  for (const name of Object.keys(tiles)) showTile(name);
  showRest();
}

/** Render one chart, let the browser show it, and render the others. */
async function renderStepByStep() {
  updateFigures();
  const [first, ...others] = Object.keys(tiles);
  showTile(first);
  performance.mark("first chart");
  await new Promise((resolve) => setTimeout(resolve));
  for (const name of others) showTile(name);
  showRest();
}

function showTile(name) {
  showChart(name, tiles[name](figures));
}

/** Render what is beside the charts. */
function showRest() {
  showFilters();
  view.showFigures(figures);
  showPipeline(figures);
  showNotice(view.notice(figures));
}

/** Show a notice above the charts; null hides it. */
function showNotice(text) {
  document.getElementById("notice").hidden = text === null;
  document.getElementById("notice").textContent = text;
}

/** Announce the effect of a filter to screen readers. */
function announce() {
  setText("announcement", view.notice(figures) ?? view.announcement(figures));
}

function showFilters() {
  for (const name of ["from", "to"]) document.getElementById(name).value = filters[name] ?? "";
  for (const name of view.lists) {
    const chosen = name in figures ? figures[name] : filters[name];
    document.getElementById(name).value = chosen === null ? "" : String(choices[name].indexOf(chosen));
  }
  document.getElementById("period").value = filters.period ?? (filters.from || filters.to ? "chosen" : "");
  document.getElementById("grain").value = filters.grain ?? "";
  const isUnfiltered = FILTER_NAMES.every((name) => filters[name] === null);
  // A button that is really disabled would lose the focus.
  document.getElementById("reset").setAttribute("aria-disabled", String(isUnfiltered));
}

/** Show a tile's bars, their summary for screen readers, and the table behind them. */
function showChart(name, tile) {
  const section = document.querySelector(`[data-chart="${name}"]`);
  if (tile.title) section.querySelector("h2").textContent = tile.title;
  if (tile.rule) section.querySelector(".rule").textContent = tile.rule;
  const isEmpty = !tile.summary;
  section.querySelector(".chart").hidden = isEmpty;
  section.querySelector(".exports").hidden = isEmpty;
  section.querySelector("details").hidden = isEmpty;
  section.querySelector(".empty").hidden = !isEmpty;
  if (isEmpty) return section.querySelector(".scroll").replaceChildren();
  const title = section.querySelector("h2").textContent;
  section.querySelector(".chart").setAttribute("aria-label", `${title}: ${tile.summary}`);
  replaceTable(section.querySelector(".scroll"), createTable(title, tile.headers, tile.rows, tile.picks));
  const isLimited = tile.labels.length < tile.rows.length;
  section.querySelector("summary").textContent = isLimited ? `Table of all ${numberFormat.format(tile.rows.length)}` : "Table";
  section.querySelector(".legend").replaceChildren(...legendItems(tile));
  nameExports(section, title);
  drawBars(section.querySelector(".chart"), tile);
}

/** Replace a table; the focus stays on the button of the same row, if there is one. */
function replaceTable(scroll, table) {
  const index = [...scroll.querySelectorAll("button")].indexOf(document.activeElement);
  scroll.replaceChildren(table);
  if (index >= 0) (scroll.querySelectorAll("button")[index] ?? scroll).focus();
}

function legendItems({ series, isStacked }) {
  if (!isStacked && series.length < 2) return [];
  return series.map(({ name, colour }) => createElement("li", { "data-mark": colour }, name));
}

/** Add the elements that all chart tiles share. */
function buildCharts() {
  for (const section of document.querySelectorAll("[data-chart]")) {
    const { chart } = section.dataset;
    const titleId = section.querySelector("h2").id;
    const scroll = createElement("div", { id: `rows-${chart}`, class: "scroll", tabindex: "0", role: "region", "aria-labelledby": titleId });
    section.append(
      createElement("div", { class: "exports" }, ...chartExports(chart)),
      createElement("div", { class: "chart", role: "img" }),
      createElement("p", { class: "empty" }, "no data in this selection"),
      createElement("ul", { class: "legend", "aria-hidden": "true" }),
      createElement("details", { id: `table-${chart}` }, createElement("summary", { id: `open-${chart}` }, "Table"), scroll),
    );
  }
}

/** Return the buttons that save a chart and its table. */
function chartExports(name) {
  const section = document.querySelector(`[data-chart="${name}"]`);
  const title = () => section.querySelector("h2").textContent;
  return [
    exportButton("CSV", () => saveCsv(title(), tiles[name](figures).csv())),
    exportButton("PNG", () => savePng(title(), section.querySelector(".chart"))),
  ];
}

function buildFilters() {
  for (const name of ["from", "to"]) {
    const input = document.getElementById(name);
    input.min = firstDay ?? "";
    input.addEventListener("change", () => setFilter(name, input.value || null));
  }
  const period = document.getElementById("period");
  period.addEventListener("change", () => setFilter("period", period.value || null));
  const grain = document.getElementById("grain");
  grain.addEventListener("change", () => {
    setFilter("grain", grain.value || null);
    announceChart(grain);
  });
  for (const name of view.lists) buildList(name);
}

/** Fill a list of values to choose from, below the option that its markup may have for all of them. */
function buildList(name) {
  const select = document.getElementById(name);
  select.append(...choices[name].map((text, index) => createElement("option", { value: String(index) }, nameOrNone(text))));
  select.addEventListener("change", () => {
    setFilter(name, select.value === "" ? null : choices[name][Number(select.value)]);
    if (select.closest("[data-chart]")) announceChart(select);
  });
}

/** Announce the chart in whose tile a choice was made. */
function announceChart(control) {
  setText("announcement", control.closest("[data-chart]").querySelector(".chart").getAttribute("aria-label"));
}

function resetFilters(event) {
  event.preventDefault();
  setFilters({ ...filters, ...Object.fromEntries(FILTER_NAMES.map((name) => [name, null])) });
}

/** Skip to the main content without changing the address, which holds the filters. */
function skipToMain(event) {
  event.preventDefault();
  document.getElementById("main").focus();
}

/** Show the age of the page, and whether its next version is overdue. */
function showPageAge() {
  const time = parseTime(pageData.made_at);
  const isOverdue = pageData.watch && Date.now() - time > (3 * pageData.watch + 60) * 1000;
  const warning = isOverdue ? ["update overdue"] : [];
  document.getElementById("made").classList.toggle("bad", isOverdue);
  setText("made", [pageData.pipeline, `as of ${formatTimestamp(time)}, ${formatAge(time)}`, ...warning]);
  setText("changes-note", `${pageData.zone}, ${formatTime(shortDayFormat, madeOn)}`);
}

/** Load a setting that the reader chose earlier, or null. */
function loadSetting(name) {
  try {
    return localStorage.getItem(`sales-${name}`);
  } catch {
    return settings.get(name) ?? null;
  }
}

/** Save a setting; where the browser blocks storage, it lasts until the page is closed. */
function saveSetting(name, value) {
  settings.set(name, value);
  try {
    localStorage.setItem(`sales-${name}`, value);
  } catch {
    // The setting is in `settings`.
  }
}

function applyTheme(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
  for (const [container, { spec }] of charts) if (!container.hidden) drawBars(container, spec, true);
}

function toggleTheme() {
  const theme = isDark() ? "light" : "dark";
  saveSetting("theme", theme);
  applyTheme(theme);
}

function isDark() {
  if (!document.documentElement.dataset.theme) return matchMedia("(prefers-color-scheme: dark)").matches;
  return getComputedStyle(document.documentElement).colorScheme === "dark";
}

/** Reload the page whenever its file should be new, unless the reader has paused that. */
function startRefreshing(button) {
  const showPaused = () => button.setAttribute("aria-pressed", String(isPaused()));
  button.hidden = false;
  showPaused();
  button.addEventListener("click", () => {
    saveSetting("paused", isPaused() ? "no" : "yes");
    showPaused();
  });
  for (const kind of ["focusin", "pointerdown", "keydown", "input"]) {
    document.addEventListener(kind, () => (touchedAt = Date.now()));
  }
  setInterval(refresh, pageData.watch * 1000);
}

function isPaused() {
  return loadSetting("paused") === "yes";
}

/** Reload the file, but not while the reader is choosing a filter. */
function refresh() {
  if (isPaused() || isChoosing() || document.hidden) return;
  const scrollPositions = [...document.querySelectorAll(".scroll")].map(({ scrollTop }) => scrollTop);
  history.replaceState({ focusedId: document.activeElement.id, scrollPositions, top: scrollY }, "");
  location.reload();
}

/** Return whether the focused filter was touched recently or is filled in only partly. */
function isChoosing() {
  const { activeElement } = document;
  if (!activeElement.matches("input, select")) return false;
  return Date.now() - touchedAt < CHOOSING_MS || activeElement.validity.badInput;
}

/** Restore focus and scroll positions after a refresh. */
function restorePosition({ focusedId, scrollPositions, top }) {
  document.getElementById(focusedId)?.focus({ preventScroll: true });
  document.querySelectorAll(".scroll").forEach((scroll, index) => (scroll.scrollTop = scrollPositions[index]));
  scrollTo(scrollX, top); // The browser has scrolled before the charts had their heights.
  history.replaceState(null, "");
}

/** Keep open tables open when the page is loaded again. */
function rememberOpenTables() {
  for (const details of document.querySelectorAll("details")) {
    details.open = loadSetting(details.id) === "open";
    details.addEventListener("toggle", () => saveSetting(details.id, details.open ? "open" : "shut"));
  }
}

/** Choose a tab; screen readers announce it themselves. */
function chooseTab(name) {
  setFilter("tab", name === TABS[0] ? null : name);
  setText("announcement", "");
}

function addListeners() {
  buildTabs(chooseTab);
  document.getElementById("filters").addEventListener("reset", resetFilters);
  document.getElementById("filters").addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("theme").addEventListener("click", toggleTheme);
  document.querySelector(".skip").addEventListener("click", skipToMain);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => applyTheme(loadSetting("theme")));
  addEventListener("beforeprint", () => applyTheme("light")); // Paper is white.
  addEventListener("afterprint", () => applyTheme(loadSetting("theme")));
  addEventListener("popstate", () => {
    filters = readFilters();
    render();
    announce();
  });
}

async function start() {
  if (!("DecompressionStream" in window)) {
    showNotice("This browser cannot unpack the page's data: open it in one of 2023 or later.");
    return;
  }
  loadDocument(await readDocument());
  for (const element of document.querySelectorAll(".zone")) element.textContent = pageData.zone;
  buildCharts();
  view.build();
  buildFilters();
  rememberOpenTables();
  applyTheme(loadSetting("theme"));
  await renderStepByStep();
  showPageAge();
  document.body.setAttribute("aria-busy", "false");
  performance.mark("rendered");
  addListeners();
  setInterval(() => {
    showPageAge();
    showFreshness(figures.pipeline);
  }, 10_000);
  if (history.state) restorePosition(history.state);
  if (pageData.watch) startRefreshing(document.getElementById("pause"));
}

const started = start(); // Callers can wait for it.
