// The tiles: what each makes of the figures, in words, in bars and in a table.

const LONGEST = 750; // bars in a row, empty ones included
const MOST = 20; // bars below each other
const YEAR = 366; // days, more of which are told apart by their year
const HOUR = 3600e3;
const DAY_LONG = 24 * HOUR;
const OPERATIONS = { INSERT: "good", MODIFY: "accent", REMOVE: "bad", SNAPSHOT: "warn" };

/** Show the figures in the tiles of numbers. */
function showNumbers(found, { category }) {
  const main = found.currencies.find(({ currency }) => currency === found.currency);
  const others = found.currencies.filter((one) => one !== main).map((one) => money(one.revenue, one.currency));
  const besides = others.map((text, at) => (at ? text : `besides: ${text}`));
  const averaged = main ? main.orders - main.unread : 0;
  tellValue("revenue", main ? money(main.revenue, main.currency) : "–");
  const whose = category === null ? "" : ` with ${named(category)}`;
  tell("revenue-of", main ? `${orders(main.orders)}${whose} sold in ${named(main.currency)}` : "nothing sold");
  tell("revenue-others", besides);
  tell("revenue-unread", found.unread ? `without ${orders(found.unread)} whose total cannot be read` : "");
  tellValue("orders", counted.format(found.orders));
  tellValue("average", averaged ? money(main.revenue, main.currency, averaged) : "–");
  tell("average-of", main ? `an order in ${named(main.currency)}` : "");
  tellValue("cancelled", found.orders ? shares.format(found.cancelled / found.orders) : "–");
  tell("cancelled-of", `${counted.format(found.cancelled)} of ${orders(found.orders)}`);
  tellValue("changes", counted.format(found.changesToday));
  showAges(found);
  showProof(found);
}

function orders(count) {
  return many(count, "order");
}

/** Show how old things are, which changes while the page is looked at. */
function showAges(found) {
  tellValue("freshness", found.lastChange === null ? "–" : ago(found.lastChange));
  tell("freshness-of", found.lastChange === null ? "no change" : `last change ${moment(found.lastChange)}`);
}

function moment(time) {
  const isToday = new Date(time).toISOString().slice(0, 10) === new Date().toISOString().slice(0, 10);
  return `${(isToday ? clock : hours).format(time)} UTC`;
}

/** Show what the last verify found, and when: it speaks of the whole table at that time. */
function showProof(found) {
  const { verify } = facts;
  const tile = document.getElementById("proof");
  tile.dataset.state = verify === null ? "unknown" : verify.state;
  if (verify === null) {
    tellValue("proof-value", "not verified yet");
    tell("proof-of", "run operations.verify");
  } else {
    const sign = { equal: "=", differs: "≠", unsettled: "?" }[verify.state];
    tellValue("proof-value", `${counted.format(verify.lake)} ${sign} ${counted.format(verify.table)}`);
    tell("proof-of", `${PROOFS[verify.state]} ${moment(timeOf(verify.at))}`);
  }
  tell("proof-here", `in this selection: ${counted.format(found.held)}`);
}

const PROOFS = { equal: "verified", differs: "they differ, found", unsettled: "could not tell" };

/** Return each chart's tile: its summary, its bars, and the table behind them. */
function charts(found) {
  return {
    "by-day": byDayTile(found),
    "by-category": first(byCategoryTile(found)),
    funnel: funnelTile(found),
    steps: stepsTile(found),
    regions: first(regionsTile(found)),
    products: productsTile(found),
    "per-hour": perHourTile(found),
  };
}

/** Return a tile with as many bars as the page has room for; its table holds them all. */
function first(tile) {
  const cut = ({ values, texts, ...rest }) => ({ ...rest, values: values.slice(0, MOST), texts: texts.slice(0, MOST) });
  return { ...tile, labels: tile.labels.slice(0, MOST), series: tile.series.map(cut) };
}

function byDayTile({ revenueByDay, currency }) {
  const rows = everyStep(revenueByDay, "day", DAY_LONG, (day) => ({ day, orders: 0, revenue: 0n }));
  const texts = rows.map((row) => money(row.revenue, currency));
  const best = rows.reduce((one, other) => (other.revenue > one.revenue ? other : one), rows[0]);
  return {
    summary: best && `${many(rows.length, "day")}, most on ${written(days, best.day)}: ${money(best.revenue, currency)}`,
    heads: ["Day", "Orders", "Revenue"],
    rows: rows.map((row, at) => [written(days, row.day), counted.format(row.orders), texts[at]]),
    labels: rows.map((row) => written(rows.length > YEAR ? days : shortDays, row.day)),
    series: [{ name: "Revenue", colour: "accent", values: rows.map(({ revenue }) => height(revenue)), texts }],
    short: (value) => shortened.format(value),
  };
}

function byCategoryTile({ revenueByCategory: rows, currency }) {
  const texts = rows.map((row) => money(row.revenue, currency));
  return {
    summary: rows.length && `${many(rows.length, "category", "categories")}, first ${named(rows[0].key)}: ${texts[0]}`,
    heads: ["Category", "Pieces", "Revenue"],
    rows: rows.map((row, at) => [named(row.key), pieces(row.pieces), texts[at]]),
    labels: rows.map(({ key }) => named(key)),
    series: [{ name: "", colour: "accent", values: rows.map(({ revenue }) => height(revenue)), texts }],
    lying: true,
    pick: (at) => toggle("category", rows[at].key),
  };
}

function funnelTile({ funnel, orders: placed }) {
  const texts = funnel.map(([, count]) => [counted.format(count), shares.format(count / placed)]);
  return {
    summary: placed && funnel.map(([step, count]) => `${step} ${counted.format(count)}`).join(", "),
    heads: ["Status", "Orders", "Of those placed"],
    rows: funnel.map(([step, count]) => [step, counted.format(count), shares.format(count / placed)]),
    labels: funnel.map(([step]) => step),
    series: [{ name: "", colour: "accent", values: funnel.map(([, count]) => count), texts }],
    lying: true,
  };
}

function stepsTile({ steps }) {
  const texts = steps.map(({ median, most }) => [duration(median), duration(most)]);
  const told = (at) => [`median ${texts[at][0]}`, `nine in ten within ${texts[at][1]}`];
  return {
    summary: steps.length && steps.map(({ name }, at) => `${name} ${told(at).join(", ")}`).join("; "),
    heads: ["From → to", "Orders", "Median", "Nine in ten within"],
    rows: steps.map((row) => [row.name, counted.format(row.orders), duration(row.median), duration(row.most)]),
    labels: steps.map(({ name }) => name),
    series: [
      { name: "nine in ten within", colour: "faint", values: steps.map(({ most }) => most), texts },
      { name: "median", colour: "accent", values: steps.map(({ median }) => median) },
    ],
    lying: true,
    overlaid: true,
    told,
  };
}

function regionsTile({ regions: rows }) {
  const texts = rows.map((row) => counted.format(row.orders));
  const brief = rows.map(({ revenues }) => revenues.map((one) => briefly(one.revenue, one.currency)));
  const sums = rows.map(({ revenues }) => revenues.map((one) => money(one.revenue, one.currency)));
  const told = (at) => [orders(rows[at].orders), ...sums[at]];
  return {
    summary: rows.length && rows.map(({ region }, at) => `${named(region)} ${told(at).join(", ")}`).join("; "),
    heads: ["Region", "Orders", "Revenue"],
    rows: rows.map((row, at) => [named(row.region), texts[at], sums[at].length ? sums[at] : "–"]),
    labels: rows.map(({ region }) => named(region)),
    series: [
      {
        name: "",
        colour: "accent",
        values: rows.map((row) => row.orders),
        texts: texts.map((text, at) => [text, ...brief[at].slice(0, 1)]),
      },
    ],
    told,
    lying: true,
    pick: (at) => toggle("region", rows[at].region),
  };
}

function productsTile({ topProducts: rows, currency }) {
  const texts = rows.map((row) => money(row.revenue, currency));
  return {
    summary: rows.length && `first ${named(rows[0].product)}: ${texts[0]}`,
    heads: ["Product", "SKU", "Category", "Pieces", "Revenue"],
    rows: rows.map((row, at) => [named(row.product), row.key, named(row.category), pieces(row.pieces), texts[at]]),
    labels: rows.map(({ product }) => named(product)),
    series: [{ name: "", colour: "accent", values: rows.map(({ revenue }) => height(revenue)), texts }],
    lying: true,
    thickness: 28,
  };
}

function perHourTile({ changesPerHour, changesPerDay }) {
  const isLong = span(changesPerHour, "time", HOUR) >= LONGEST;
  const [unit, step, counts, format] = isLong ? ["day", DAY_LONG, changesPerDay, days] : ["hour", HOUR, changesPerHour, hours];
  const rows = everyStep(counts, "time", step, (time) => ({ time, of: {} }));
  const known = [...new Set([...Object.keys(OPERATIONS), ...rows.flatMap(({ of }) => Object.keys(of))])];
  const present = known.filter((name) => rows.some(({ of }) => of[name]));
  const all = sum(rows.flatMap(({ of }) => Object.values(of)).map((count) => ({ count })), "count");
  const texts = present.map((name) => rows.map(({ of }) => counted.format(of[name] ?? 0)));
  const labels = rows.map(({ time }) => written(format, time));
  return {
    title: `Changes per ${unit}`,
    rule: `of the table, by the UTC ${unit} of the change`,
    summary: rows.length && `${many(all, "change")} in ${many(rows.length, unit)}`,
    heads: [unit === "day" ? "Day" : "Hour, UTC", ...present],
    rows: labels.map((label, at) => [label, ...texts.map((of) => of[at])]),
    labels,
    series: present.map((name, place) => ({
      name,
      colour: OPERATIONS[name] ?? "soft",
      values: rows.map(({ of }) => of[name] ?? 0),
      texts: texts[place],
    })),
    stacked: true,
    whole: true,
    short: (value) => shortened.format(value),
  };
}

/** Return how many days or hours lie between the first row and the last. */
function span(rows, property, step) {
  return rows.length ? (timeOf(rows.at(-1)[property]) - timeOf(rows[0][property])) / step : 0;
}

/** Return rows with the days or hours between them that have none, unless those are too many. */
function everyStep(rows, property, step, empty) {
  const count = span(rows, property, step);
  if (!rows.length || !(count < LONGEST)) return rows;
  const known = new Map(rows.map((row) => [timeOf(row[property]), row]));
  const first = timeOf(rows[0][property]);
  const times = Array.from({ length: count + 1 }, (_, at) => first + at * step);
  return times.map((time) => known.get(time) ?? empty(new Date(time).toISOString().slice(0, step === HOUR ? 19 : 10)));
}

/** Return how high a bar is: the picture alone is a float. */
function height(amount) {
  return Number(decimalText(amount, 2));
}
