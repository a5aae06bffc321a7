// The tiles: their numbers, notes, bars and tables, made from the figures.

const MAX_TIME_BARS = 750; // Bars of a time axis, including empty ones.
const MAX_LISTED_BARS = 20; // Horizontal bars below each other.
const DAYS_PER_YEAR = 366; // Labels of a longer time axis include the year.
const GRAIN_HEADERS = { day: "Day", week: "Week from", month: "Month from" };
const OPERATION_COLOURS = { INSERT: "good", MODIFY: "accent", REMOVE: "bad", SNAPSHOT: "warn" };
const VERIFY_SIGNS = { equal: "=", differs: "≠", unsettled: "?" };
const VERIFY_NOTES = { equal: "verified", differs: "mismatch found", unsettled: "inconclusive" };

/** Show the tiles of numbers. */
function showNumbers(figures, { category }) {
  showRevenue(figures, category);
  showOrders(figures);
  setValue("newcomers", numberFormat.format(figures.firstPurchases));
  setText("newcomers-note", `whose first sold order is in this selection${figures.allCategories}`);
  showComparison(figures);
  setValue("changes", numberFormat.format(figures.changesToday));
  setValue("failures", numberFormat.format(figures.unreadableCount));
  setText("failures-note", `of ${orderCount(sumOf(figures.currencies, "orders"))} sold`);
  showFreshness(figures);
  showVerification(figures);
}

function showRevenue({ currency, currencies, unreadableCount }, category) {
  const main = currencies.find((row) => row.currency === currency);
  const others = currencies.filter((row) => row !== main).map((row) => formatMoney(row.revenue, row.currency));
  setText("revenue-others", others.map((text, index) => (index ? text : `also: ${text}`)));
  setText("revenue-unreadable", unreadableCount ? `excluding ${orderCount(unreadableCount)} with an unreadable total` : "");
  if (!main) {
    setValue("revenue", "–");
    setText("revenue-note", "no orders sold");
    setValue("average", "–");
    setText("average-note", "");
    return;
  }
  const categoryNote = category === null ? "" : ` with ${nameOrNone(category)}`;
  const readableOrders = main.orders - main.unreadable;
  setValue("revenue", formatMoney(main.revenue, main.currency));
  setText("revenue-note", `${orderCount(main.orders)}${categoryNote} sold in ${nameOrNone(main.currency)}`);
  setValue("average", readableOrders ? formatMoney(main.revenue, main.currency, readableOrders) : "–");
  setText("average-note", `per order in ${nameOrNone(main.currency)}`);
}

function showOrders({ orders, cancelled }) {
  setValue("orders", numberFormat.format(orders));
  setValue("cancelled", orders ? percentFormat.format(cancelled / orders) : "–");
  setText("cancelled-note", `${numberFormat.format(cancelled)} of ${orderCount(orders)}`);
}

function orderCount(count) {
  return countOf(count, "order");
}

/** Show the age of the last change, which grows while the page is open. */
function showFreshness({ lastChange }) {
  setValue("freshness", lastChange === null ? "–" : formatAge(lastChange));
  setText("freshness-note", lastChange === null ? "no changes" : `last change ${formatTimestamp(lastChange)}`);
}

/** Return when a verify result was made, or through when its parts are verified, and how many. */
function formatVerification(verify) {
  const time = verify.verified_at && formatTimestamp(parseTime(verify.verified_at));
  if (!verify.parts) return `${VERIFY_NOTES[verify.state]} ${time}`;
  const found = verify.state === "equal" ? "" : `${VERIFY_NOTES[verify.state]}, `;
  return time ? `${found}verified through ${time}, ${verify.parts}` : `${found}${verify.parts}`;
}

/** Show the last verify result, which covers the table or its parts whatever the filters. */
function showVerification({ inTable }) {
  const { verify } = pageData;
  document.getElementById("verification").dataset.state = verify === null ? "unknown" : verify.state;
  if (verify === null) {
    setValue("verification-value", "not verified yet");
    setText("verification-note", "run operations.verify");
  } else {
    const counts = [verify.lake_items, verify.table_items].map((count) => numberFormat.format(count));
    setValue("verification-value", counts.join(` ${VERIFY_SIGNS[verify.state]} `));
    setText("verification-note", formatVerification(verify));
  }
  setText("verification-selection", `in this selection: ${numberFormat.format(inTable)}`);
}

/** Return the tile of each chart: its summary, its bars and its table. */
function chartTiles(figures) {
  return {
    "by-day": byDayTile(figures),
    "by-category": limitBars(byCategoryTile(figures)),
    funnel: funnelTile(figures),
    steps: stepsTile(figures),
    regions: limitBars(regionsTile(figures)),
    products: productsTile(figures),
    customers: customersTile(figures),
    "per-hour": perHourTile(figures),
  };
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

function byDayTile({ revenueByGrain: rows, grain, currency }) {
  const texts = rows.map((row) => formatMoney(row.revenue, currency));
  const best = rows.reduce((a, b) => (b.revenue > a.revenue ? b : a), rows[0]);
  const isShort = countSteps(rows, "day", DAY_MS) <= DAYS_PER_YEAR;
  const labels = rows.map((row) => grainLabel(row, grain));
  const isWhole = rows.map(({ mark }) => mark === "");
  return {
    title: `Revenue by ${grain}`,
    summary: best && `${countOf(rows.length, grain)}, highest ${grainLabel(best, grain)}: ${formatMoney(best.revenue, currency)}`,
    csv: () => [
      [GRAIN_HEADERS[grain], "Whole", "Orders", inUnit("Revenue", currency)],
      ...rows.map((row, index) => [row.day, isWhole[index] ? "yes" : "no", row.orders, row.revenue]),
    ],
    headers: [capitalized(grain), "Orders", "Revenue"],
    rows: rows.map((row, index) => [labels[index], numberFormat.format(row.orders), texts[index]]),
    labels: rows.map((row) => grainLabel(row, grain, isShort)),
    series: wholeAndPartSeries(rows.map(({ revenue }) => barLength(revenue)), isWhole, texts),
    isOverlaid: true,
    tooltipLines: (index) => [texts[index]],
    formatAxis: (value) => compactFormat.format(value),
  };
}

/** Return a series of bars, and another one for those that are not whole. */
function wholeAndPartSeries(values, isWhole, texts) {
  const pick = (flag) => values.map((value, index) => (isWhole[index] === flag ? value : 0));
  const whole = { name: "whole", colour: "accent", values: pick(true), texts };
  return isWhole.every(Boolean) ? [whole] : [whole, { name: "not whole yet, or only in part", colour: "faint", values: pick(false), texts }];
}

function byCategoryTile({ revenueByCategory: rows, currency }) {
  const texts = rows.map((row) => formatMoney(row.revenue, currency));
  return {
    summary: rows.length && `${countOf(rows.length, "category", "categories")}, highest ${nameOrNone(rows[0].key)}: ${texts[0]}`,
    csv: () => [
      ["Category", "Quantity", inUnit("Revenue", currency)],
      ...rows.map((row) => [row.key, row.quantity, row.revenue]),
    ],
    headers: ["Category", "Quantity", "Revenue"],
    rows: rows.map((row, index) => [nameOrNone(row.key), formatQuantity(row.quantity), texts[index]]),
    labels: rows.map(({ key }) => nameOrNone(key)),
    series: [{ name: "", colour: "accent", values: rows.map(({ revenue }) => barLength(revenue)), texts }],
    isHorizontal: true,
    onPick: (index) => toggleFilter("category", rows[index].key),
  };
}

function funnelTile({ funnel, orders }) {
  const texts = funnel.map(([, count]) => [numberFormat.format(count), percentFormat.format(count / orders)]);
  return {
    summary: orders && funnel.map(([status, count]) => `${status} ${numberFormat.format(count)}`).join(", "),
    csv: () => [
      ["Status", "Orders", inUnit("Share of placed", "%")],
      ...funnel.map(([status, count]) => [status, count, formatDecimal(BigInt(count) * 100n * ONE, 1, orders)]),
    ],
    headers: ["Status", "Orders", "Share of placed"],
    rows: funnel.map(([status], index) => [status, ...texts[index]]),
    labels: funnel.map(([status]) => status),
    series: [{ name: "", colour: "accent", values: funnel.map(([, count]) => count), texts }],
    isHorizontal: true,
  };
}

function stepsTile({ steps }) {
  const texts = steps.map(({ median, percentile90 }) => [formatDuration(median), formatDuration(percentile90)]);
  const tooltipLines = (index) => [`median ${texts[index][0]}`, `90th percentile ${texts[index][1]}`];
  return {
    summary: steps.length && steps.map(({ name }, index) => `${name} ${tooltipLines(index).join(", ")}`).join("; "),
    csv: () => [
      ["From → to", "Orders", ...["Median", "90th percentile"].map((name) => inUnit(name, "minutes"))],
      ...steps.map((row) => [row.name, row.orders, row.median, row.percentile90]),
    ],
    headers: ["From → to", "Orders", "Median", "90th percentile"],
    rows: steps.map((row, index) => [row.name, numberFormat.format(row.orders), ...texts[index]]),
    labels: steps.map(({ name }) => name),
    series: [
      { name: "90th percentile", colour: "faint", values: steps.map((row) => row.percentile90), texts },
      { name: "median", colour: "accent", values: steps.map(({ median }) => median) },
    ],
    isHorizontal: true,
    isOverlaid: true,
    tooltipLines,
  };
}

function regionsTile({ regions: rows }) {
  const counts = rows.map((row) => numberFormat.format(row.orders));
  const sums = rows.map(({ revenues }) => revenues.map((row) => formatMoney(row.revenue, row.currency)));
  const tooltipLines = (index) => [orderCount(rows[index].orders), ...sums[index]];
  const barTexts = rows.map(({ revenues: [main] }, index) =>
    main ? [counts[index], formatCompactMoney(main.revenue, main.currency)] : [counts[index]],
  );
  return {
    summary: rows.length && rows.map(({ region }, index) => `${nameOrNone(region)} ${tooltipLines(index).join(", ")}`).join("; "),
    csv: () => regionLines(rows),
    headers: ["Region", "Orders", "Revenue"],
    rows: rows.map((row, index) => [nameOrNone(row.region), counts[index], sums[index].length ? sums[index] : "–"]),
    labels: rows.map(({ region }) => nameOrNone(region)),
    series: [{ name: "", colour: "accent", values: rows.map((row) => row.orders), texts: barTexts }],
    tooltipLines,
    isHorizontal: true,
    onPick: (index) => toggleFilter("region", rows[index].region),
  };
}

/** Return the lines of the regions' CSV: a column for each currency. */
function regionLines(rows) {
  const currencies = [...new Set(rows.flatMap(({ revenues }) => revenues.map(({ currency }) => currency)))].sort(compare);
  const amountOf = ({ revenues }, name) => revenues.find(({ currency }) => currency === name)?.revenue ?? 0n;
  return [
    ["Region", "Orders", ...currencies.map((name) => inUnit("Revenue", name))],
    ...rows.map((row) => [row.region, row.orders, ...currencies.map((name) => amountOf(row, name))]),
  ];
}

function productsTile({ topProducts: rows, currency }) {
  const texts = rows.map((row) => formatMoney(row.revenue, currency));
  return {
    summary: rows.length && `highest ${nameOrNone(rows[0].product)}: ${texts[0]}`,
    csv: () => [
      ["Product", "SKU", "Category", "Quantity", inUnit("Revenue", currency)],
      ...rows.map((row) => [row.product ?? "", row.key, row.category, row.quantity, row.revenue]),
    ],
    headers: ["Product", "SKU", "Category", "Quantity", "Revenue"],
    rows: rows.map((row, index) => [
      nameOrNone(row.product),
      row.key,
      nameOrNone(row.category),
      formatQuantity(row.quantity),
      texts[index],
    ]),
    labels: rows.map(({ product }) => nameOrNone(product)),
    series: [{ name: "", colour: "accent", values: rows.map(({ revenue }) => barLength(revenue)), texts }],
    isHorizontal: true,
    rowHeight: 28,
  };
}

function perHourTile({ changesPerHour, changesPerDay }) {
  const isLong = countSteps(changesPerHour, "time", HOUR_MS) >= MAX_TIME_BARS;
  const [unit, step, countsByTime, format] = isLong
    ? ["day", DAY_MS, changesPerDay, dayFormat]
    : ["hour", HOUR_MS, changesPerHour, hourFormat];
  const next = (time) => new Date(parseTime(time) + step).toISOString().slice(0, isLong ? 10 : 19);
  const rows = fillGaps(countsByTime, "time", next, (time) => ({ time, counts: {} }));
  const operations = presentOperations(rows);
  const texts = operations.map((name) => rows.map(({ counts }) => numberFormat.format(counts[name] ?? 0)));
  const labels = rows.map(({ time }) => formatTime(format, time));
  const total = rows.flatMap(({ counts }) => Object.values(counts)).reduce((a, b) => a + b, 0);
  return {
    title: `Changes per ${unit}`,
    rule: `changes to the table, by UTC ${unit}`,
    summary: rows.length && `${countOf(total, "change")} in ${countOf(rows.length, unit)}`,
    csv: () => [
      [isLong ? "Day" : "Hour (UTC)", ...operations],
      ...rows.map(({ time, counts }) => [time.slice(0, 19), ...operations.map((name) => counts[name] ?? 0)]),
    ],
    headers: [isLong ? "Day" : "Hour (UTC)", ...operations],
    rows: labels.map((label, row) => [label, ...texts.map((column) => column[row])]),
    labels,
    series: operations.map((name, index) => ({
      name,
      colour: OPERATION_COLOURS[name] ?? "soft",
      values: rows.map(({ counts }) => counts[name] ?? 0),
      texts: texts[index],
    })),
    isStacked: true,
    isInteger: true,
    formatAxis: (value) => compactFormat.format(value),
  };
}

/** Return the operations that occur, the known ones first. */
function presentOperations(rows) {
  const names = new Set([...Object.keys(OPERATION_COLOURS), ...rows.flatMap(({ counts }) => Object.keys(counts))]);
  return [...names].filter((name) => rows.some(({ counts }) => counts[name]));
}

/** Return the number of days or hours between the first row and the last. */
function countSteps(rows, property, step) {
  return rows.length ? (parseTime(rows.at(-1)[property]) - parseTime(rows[0][property])) / step : 0;
}

/** Add empty rows for the times without data, from one to the `next`, unless there would be too many. */
function fillGaps(rows, property, next, createRow) {
  const rowByTime = new Map(rows.map((row) => [parseTime(row[property]), row]));
  const last = rows.length ? parseTime(rows.at(-1)[property]) : NaN;
  const filled = [];
  for (let text = rows[0]?.[property]; parseTime(text ?? "") <= last; text = next(text)) {
    if (filled.length === MAX_TIME_BARS) return rows;
    filled.push(rowByTime.get(parseTime(text)) ?? createRow(text));
  }
  return filled.length ? filled : rows;
}

/** Return the header of a column in CSV, whose numbers have no unit of their own. */
function inUnit(name, unit) {
  return unit === "" ? name : `${name} (${unit})`;
}

function capitalized(word) {
  return word[0].toUpperCase() + word.slice(1);
}

/** Return the length of an amount's bar: only the picture uses floating point. */
function barLength(amount) {
  return Number(formatDecimal(amount, 2));
}
