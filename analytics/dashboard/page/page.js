// The page: filters from and into the address, the tiles they lead to, the theme, and the refresh.

const facts = JSON.parse(document.getElementById("facts").textContent);
const rows = allRows(facts.facts);
const DAY = /^\d{4}-\d\d-\d\d$/;
const CHOOSING = 20e3; // how long after a touch a reader is still choosing
const CHOSEN = ["from", "to", "region", "category", "currency"];
const choices = {
  region: choicesOf([...rows.placed, ...rows.changes], "region"),
  category: choicesOf([...rows.placed, ...rows.products, ...rows.changes], "category"),
  currency: choicesOf(rows.sold, "currency"),
};
let filters = filtersInAddress();
let shown = null;
let touched = 0;
const memory = new Map();

/** Return the values that a filter offers, in order. */
function choicesOf(all, property) {
  return [...new Set(all.map((row) => row[property]))].filter((value) => value !== null).sort(compared);
}

function filtersInAddress() {
  const asked = new URLSearchParams(location.hash.slice(1));
  const known = (name) => choices[name]?.includes(asked.get(name)) ?? isDay(asked.get(name));
  return Object.fromEntries(CHOSEN.map((name) => [name, known(name) ? asked.get(name) : null]));
}

/** Return whether a text is a day that the calendar has. */
function isDay(text) {
  const time = DAY.test(text) ? timeOf(text) : NaN;
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(text);
}

/** Set one filter, or take it back where it is set already. */
function toggle(name, value) {
  filter(name, filters[name] === value ? null : value);
}

/** Set a filter, null for all, and show what it leaves. */
function filter(name, value) {
  filters = { ...filters, [name]: value };
  const set = CHOSEN.filter((each) => filters[each] !== null);
  const address = String(new URLSearchParams(set.map((each) => [each, filters[each]])));
  history.replaceState(null, "", address ? `#${address}` : location.pathname + location.search);
  show();
  say(shown);
}

/** Show everything under the filters of now. */
function show() {
  shown = figures(rows, filters, facts.made_at.slice(0, 10));
  showFilters(shown);
  showNumbers(shown, filters);
  for (const [name, tile] of Object.entries(charts(shown))) showChart(name, tile);
  showUnread(shown);
  showNotice(shown);
}

function showFilters({ currency }) {
  for (const name of ["from", "to"]) document.getElementById(name).value = filters[name] ?? "";
  for (const name of ["region", "category"]) {
    document.getElementById(name).value = filters[name] === null ? "" : String(choices[name].indexOf(filters[name]));
  }
  document.getElementById("currency").value = String(choices.currency.indexOf(currency));
  const isAll = CHOSEN.every((name) => filters[name] === null);
  document.getElementById("reset").setAttribute("aria-disabled", String(isAll)); // And it keeps the focus.
}

/** Draw a tile's bars, its summary for those who do not see them, and the table behind them. */
function showChart(name, tile) {
  const section = document.querySelector(`[data-chart="${name}"]`);
  for (const [part, text] of [["h2", tile.title], [".rule", tile.rule]]) {
    if (text) section.querySelector(part).textContent = text;
  }
  const isEmpty = !tile.summary;
  section.querySelector(".chart").hidden = isEmpty;
  section.querySelector("details").hidden = isEmpty;
  section.querySelector(".empty").hidden = !isEmpty;
  if (isEmpty) return section.querySelector(".scroll").replaceChildren();
  const title = section.querySelector("h2").textContent;
  section.querySelector(".chart").setAttribute("aria-label", `${title}: ${tile.summary}`);
  section.querySelector(".scroll").replaceChildren(table(title, tile.heads, tile.rows));
  const isCut = tile.labels.length < tile.rows.length;
  section.querySelector("summary").textContent = isCut ? `Table of all ${counted.format(tile.rows.length)}` : "Table";
  section.querySelector(".legend").replaceChildren(...legend(tile));
  drawBars(section.querySelector(".chart"), tile);
}

function legend({ series, stacked }) {
  return stacked || series.length > 1 ? series.map(({ name, colour }) => element("li", { "data-mark": colour }, name)) : [];
}

/** Show the orders without an amount; Athena names the first of them, when they are many. */
function showUnread({ unread: all, unreadOrders: unread }) {
  const title = "Left out of the revenue";
  document.getElementById("unread").hidden = !unread.length;
  const isCut = unread.length < all;
  tell("h-unread", isCut ? `${title}: the first ${counted.format(unread.length)} of ${counted.format(all)}` : title);
  const lines = unread.map(({ order_id: order, day, region, total }) => [order, written(days, day), named(region), named(total)]);
  const heads = ["Order", "Day of payment", "Region", "Total as stored"];
  document.getElementById("unread-table").replaceChildren(table(title, heads, lines));
}

/** Say why there is nothing to see, if there is nothing. */
function showNotice(found) {
  const notice = document.getElementById("notice");
  const isEmpty = !found.orders && !found.changesPerHour.length;
  notice.hidden = !isEmpty;
  notice.textContent = rows.changes.length
    ? "Nothing matches these filters. Reset shows everything again."
    : "The lake holds no orders yet: python data_generator.py writes some, and after a minute they are here.";
}

/** Say to those who do not see the tiles what a filter has made of them. */
function say({ orders: placed }) {
  const notice = document.getElementById("notice");
  const told = ["revenue", "revenue-of"].map((id) => document.getElementById(id).textContent);
  tell("said", notice.hidden ? `${orders(placed)} placed, revenue ${told.join(", ")}` : notice.textContent);
}

/** Put into each tile of a chart what the page's text leaves out. */
function buildCharts() {
  for (const section of document.querySelectorAll("[data-chart]")) {
    const { chart } = section.dataset;
    const name = section.querySelector("h2").id;
    const scroll = element("div", { id: `rows-${chart}`, class: "scroll", tabindex: "0", role: "region", "aria-labelledby": name });
    section.append(
      element("div", { class: "chart", role: "img" }),
      element("p", { class: "empty" }, "nothing in this selection"),
      element("ul", { class: "legend", "aria-hidden": "true" }),
      element("details", { id: `table-${chart}` }, element("summary", { id: `open-${chart}` }, "Table"), scroll),
    );
  }
}

function buildFilters() {
  for (const name of ["region", "category", "currency"]) {
    const all = name === "currency" ? [] : [element("option", { value: "" }, "all")];
    const options = choices[name].map((text, at) => element("option", { value: String(at) }, named(text)));
    document.getElementById(name).replaceChildren(...all, ...options);
  }
  const known = rows.placed.map(({ day }) => day).filter((day) => day !== null);
  for (const name of ["from", "to"]) {
    const input = document.getElementById(name);
    input.min = known.reduce((one, other) => (one < other ? one : other), known[0] ?? "");
    input.addEventListener("change", () => filter(name, input.value || null));
  }
  for (const name of ["region", "category", "currency"]) {
    const select = document.getElementById(name);
    select.addEventListener("change", () => filter(name, select.value === "" ? null : choices[name][Number(select.value)]));
  }
}

function reset(event) {
  event.preventDefault();
  filters = Object.fromEntries(CHOSEN.map((name) => [name, null]));
  filter("from", null);
}

/** Go to the figures, but not by the address: that holds the filters. */
function skip(event) {
  event.preventDefault();
  document.getElementById("main").focus();
}

function showMade() {
  const time = timeOf(facts.made_at);
  const isLate = facts.watch && Date.now() - time > (3 * facts.watch + 60) * 1000;
  document.getElementById("made").classList.toggle("bad", isLate);
  tell("made", [facts.pipeline, `as of ${moment(time)}, ${ago(time)}`, ...(isLate ? ["no newer page came since"] : [])]);
  tell("changes-of", `UTC, ${written(shortDays, facts.made_at)}`);
}

/** Return what the reader chose before; where the browser keeps nothing, it holds for this page. */
function remembered(name, value) {
  if (value !== undefined) memory.set(name, value);
  try {
    if (value !== undefined) localStorage.setItem(`sales-${name}`, value);
    return localStorage.getItem(`sales-${name}`);
  } catch {
    return memory.get(name) ?? null;
  }
}

function showTheme(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
  for (const [place, { spec }] of drawn) if (!place.hidden) drawBars(place, spec, true);
}

function changeTheme() {
  const isDark = getComputedStyle(document.documentElement).colorScheme === "dark";
  const seesDark = document.documentElement.dataset.theme ? isDark : matchMedia("(prefers-color-scheme: dark)").matches;
  const theme = seesDark ? "light" : "dark";
  remembered("theme", theme);
  showTheme(theme);
}

/** Follow the file, which is written anew every so often, unless the reader pauses that. */
function watch(button) {
  const tellPaused = () => button.setAttribute("aria-pressed", String(isPaused()));
  button.hidden = false;
  tellPaused();
  button.addEventListener("click", () => {
    remembered("paused", isPaused() ? "no" : "yes");
    tellPaused();
  });
  for (const kind of ["focusin", "pointerdown", "keydown", "input"]) {
    document.getElementById("filters").addEventListener(kind, () => (touched = Date.now()));
  }
  setInterval(follow, facts.watch * 1000);
}

function isPaused() {
  return remembered("paused") === "yes";
}

/** Load the file anew, but not while the reader is choosing something. */
function follow() {
  if (isPaused() || isChoosing() || document.hidden) return;
  const scrolled = [...document.querySelectorAll(".scroll")].map(({ scrollTop }) => scrollTop);
  history.replaceState({ focused: document.activeElement.id, scrolled }, "");
  location.reload();
}

/** Return whether the reader has just touched the filter that has the focus, or left it half filled. */
function isChoosing() {
  const { activeElement: chosen } = document;
  return chosen.matches("input, select") && (Date.now() - touched < CHOOSING || chosen.validity.badInput);
}

/** Go on where the reader was before the page was loaded anew. */
function resume({ focused, scrolled }) {
  document.getElementById(focused)?.focus({ preventScroll: true });
  document.querySelectorAll(".scroll").forEach((place, at) => (place.scrollTop = scrolled[at]));
  history.replaceState(null, "");
}

/** Keep the tables open that the reader opened, also when the page is loaded anew. */
function keepTables() {
  for (const details of document.querySelectorAll("details")) {
    details.open = remembered(details.id) === "open";
    details.addEventListener("toggle", () => remembered(details.id, details.open ? "open" : "shut"));
  }
}

function start() {
  buildCharts();
  buildFilters();
  keepTables();
  showTheme(remembered("theme"));
  show();
  showMade();
  document.body.setAttribute("aria-busy", "false");
  performance.mark("shown");
  document.getElementById("filters").addEventListener("reset", reset);
  document.getElementById("filters").addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("theme").addEventListener("click", changeTheme);
  document.querySelector(".skip").addEventListener("click", skip);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => showTheme(remembered("theme")));
  addEventListener("beforeprint", () => showTheme("light")); // Paper is white.
  addEventListener("afterprint", () => showTheme(remembered("theme")));
  addEventListener("hashchange", () => {
    filters = filtersInAddress();
    show();
    say(shown);
  });
  setInterval(() => {
    showMade();
    showAges(shown);
  }, 10_000);
  if (history.state) resume(history.state);
  if (facts.watch) watch(document.getElementById("pause"));
}

start();
