// The tiles: their numbers, notes, bars and tables, made from the figures.

/** Show the tiles of numbers. */
function showNumbers(figures, { category }) {
  showRevenue(figures, category);
  showOrderCounts(figures);
  setValue("newcomers", numberFormat.format(figures.firstPurchases));
  setText("newcomers-note", `whose first sold order is in this selection${figures.allCategories}`);
  showComparison(figures.comparison, changeDescribers(figures.money));
  setText("verification-selection", `in this selection: ${numberFormat.format(figures.inTable)}`);
  setValue("failures", numberFormat.format(figures.unreadableCount));
  setText("failures-note", `of ${orderCount(sumOf(figures.currencies, "orders"))} sold`);
}

/** Return a function for each tile that describes its change; null where there is nothing to divide by. */
function changeDescribers({ currency }) {
  return {
    revenue: (now, before) => [formatMoney(before.revenue, currency), formatGrowth(now.revenue, before.revenue)],
    orders: countChange("orders"),
    average: (now, before) => {
      if (!before.readable) return ["no orders sold", null];
      const text = formatMoney(before.revenue, currency, before.readable);
      // The averages with a common denominator: a / b and c / d compare as a * d and c * b.
      if (!now.readable || now.revenue === null || before.revenue === null) return [text, null];
      const [average, averageBefore] = [now.revenue * BigInt(before.readable), before.revenue * BigInt(now.readable)];
      return [text, formatGrowth(average, averageBefore)];
    },
    newcomers: countChange("firstPurchases"),
    cancelled: (now, before) => {
      if (!before.orders) return ["no orders", null];
      const text = percentFormat.format(before.cancelled / before.orders);
      return [text, now.orders ? formatPoints(now, before) : null];
    },
  };
}

/** Format the change of the cancelled share in percentage points. */
function formatPoints(now, before) {
  const [share, shareBefore] = [BigInt(now.cancelled * before.orders), BigInt(before.cancelled * now.orders)];
  const points = formatDecimal((share - shareBefore) * 100n * ONE, 1, BigInt(now.orders * before.orders));
  return `${signedFormat.format(points)} points`;
}

function showRevenue({ money, sold, currencies, unreadableCount, withoutRate }, category) {
  const { currency } = money;
  const isConverted = money.rates !== null;
  const others = currencies.filter((row) => isConverted || row.currency !== currency).map((row) => formatMoney(row.revenue, row.currency));
  setText("revenue-others", others.map((text, index) => (index ? text : `${isConverted ? "from" : "also"}: ${text}`)));
  setText("revenue-unreadable", [
    ...(unreadableCount ? [`excluding ${orderCount(unreadableCount)} with an unreadable total`] : []),
    ...(withoutRate ? [`${orderCount(withoutRate)} without an exchange rate`] : []),
  ]);
  if (!sold.orders) {
    setValue("revenue", "–");
    setText("revenue-note", "no orders sold");
    setValue("average", "–");
    setText("average-note", "");
    return;
  }
  const categoryNote = category === null ? "" : ` with ${nameOrNone(category)}`;
  const readableOrders = sold.orders - sold.unreadable;
  const inCurrency = `${isConverted ? ", converted to" : " in"} ${nameOrNone(currency)}`;
  setValue("revenue", formatMoney(sold.revenue, currency));
  setText("revenue-note", `${orderCount(sold.orders)}${categoryNote} sold${inCurrency}`);
  setValue("average", readableOrders ? formatMoney(sold.revenue, currency, readableOrders) : "–");
  setText("average-note", `per order${inCurrency}`);
}

function showOrderCounts({ orders, cancelled }) {
  setValue("orders", numberFormat.format(orders));
  setValue("cancelled", orders ? percentFormat.format(cancelled / orders) : "–");
  setText("cancelled-note", `${numberFormat.format(cancelled)} of ${orderCount(orders)}`);
}

function orderCount(count) {
  return countOf(count, "order");
}

function byDayTile({ revenueByGrain: rows, grain, money }) {
  const { currency } = money;
  const texts = rows.map((row) => formatMoney(row.revenue, currency));
  const best = rows.reduce((a, b) => (a.revenue === null || b.revenue > a.revenue ? b : a), rows[0]);
  const original = currencyColumns(rows, "originals");
  const unknown = rows.filter(({ revenue }) => revenue === null).length;
  const isShort = countSteps(rows, "day", DAY_MS) <= DAYS_PER_YEAR;
  const labels = rows.map((row) => grainLabel(row, grain));
  const isWhole = rows.map(({ mark }) => mark === "");
  return {
    title: `Revenue by ${grain}`,
    rule: `totals of sold orders, including tax, by ${pageData.zone} day of payment${unknown ? `; ${countOf(unknown, grain)} not known` : ""}`,
    summary: best && `${countOf(rows.length, grain)}, highest ${grainLabel(best, grain)}: ${formatMoney(best.revenue, currency)}`,
    csv: () => [
      [GRAIN_HEADERS[grain], "Whole", "Orders", revenueHeader(money), ...original.headers],
      ...rows.map((row, index) => [row.day, isWhole[index] ? "yes" : "no", row.orders, row.revenue, ...original.cells(row)]),
    ],
    headers: [capitalized(grain), "Orders", "Revenue", ...originalHeader(money)],
    rows: rows.map((row, index) => [labels[index], numberFormat.format(row.orders), texts[index], ...originalCell(row, money)]),
    labels: rows.map((row) => grainLabel(row, grain, isShort)),
    series: wholeAndPartSeries(rows.map(({ revenue }) => barLength(revenue)), isWhole, texts),
    isOverlaid: true,
    tooltipLines: (index) => [texts[index]],
    picks: rows.map((row) => () => toggleDays(row)),
    formatAxis: (value) => compactFormat.format(value),
  };
}

/** Return a series of bars, and another one for those that are not whole. */
function wholeAndPartSeries(values, isWhole, texts) {
  const pick = (flag) => values.map((value, index) => (isWhole[index] === flag ? value : 0));
  const whole = { name: "whole", colour: "accent", values: pick(true), texts };
  return isWhole.every(Boolean) ? [whole] : [whole, { name: "not whole yet, or only in part", colour: "faint", values: pick(false), texts }];
}

function byCategoryTile({ revenueByCategory: rows, money }) {
  const texts = rows.map((row) => formatMoney(row.revenue, money.currency));
  const original = currencyColumns(rows, "originals");
  return {
    summary: rows.length && `${countOf(rows.length, "category", "categories")}, highest ${nameOrNone(rows[0].key)}: ${texts[0]}`,
    csv: () => [
      ["Category", "Quantity", revenueHeader(money), ...original.headers],
      ...rows.map((row) => [row.key, row.quantity, row.revenue, ...original.cells(row)]),
    ],
    headers: ["Category", "Quantity", "Revenue", ...originalHeader(money)],
    rows: rows.map((row, index) => [nameOrNone(row.key), formatQuantity(row.quantity), texts[index], ...originalCell(row, money)]),
    labels: rows.map(({ key }) => nameOrNone(key)),
    series: [{ name: "", colour: "accent", values: rows.map(({ revenue }) => barLength(revenue)), texts }],
    isHorizontal: true,
    picks: rows.map(({ key }) => () => toggleFilter("category", key)),
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

function stepsTile({ steps, allCategories }) {
  const texts = steps.map(({ median, percentile90 }) => [formatDuration(median), formatDuration(percentile90)]);
  const tooltipLines = (index) => [`median ${texts[index][0]}`, `90th percentile ${texts[index][1]}`];
  return {
    rule: `median and 90th percentile${allCategories}`,
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

function regionsTile({ regions: rows, money }) {
  const counts = rows.map((row) => numberFormat.format(row.orders));
  const sums = rows.map(({ revenues }) => revenues.map((row) => formatMoney(row.revenue, row.currency)));
  const tooltipLines = (index) => [orderCount(rows[index].orders), ...sums[index], ...originalLines(rows[index])];
  const barTexts = rows.map(({ revenues: [main] }, index) =>
    main ? [counts[index], formatCompactMoney(main.revenue, main.currency)] : [counts[index]],
  );
  return {
    summary: rows.length && rows.map(({ region }, index) => `${nameOrNone(region)} ${tooltipLines(index).join(", ")}`).join("; "),
    csv: () => regionLines(rows, money),
    headers: ["Region", "Orders", "Revenue", ...originalHeader(money)],
    rows: rows.map((row, index) => [
      nameOrNone(row.region),
      counts[index],
      sums[index].length ? sums[index] : "–",
      ...originalCell(row, money),
    ]),
    labels: rows.map(({ region }) => nameOrNone(region)),
    series: [{ name: "", colour: "accent", values: rows.map((row) => row.orders), texts: barTexts }],
    tooltipLines,
    isHorizontal: true,
    picks: rows.map(({ region }) => () => toggleFilter("region", region)),
  };
}

/** Return the lines of the regions' CSV: a column for each currency. */
function regionLines(rows, money) {
  const revenue = currencyColumns(rows, "revenues", revenueName(money));
  const original = currencyColumns(rows, "originals");
  return [
    ["Region", "Orders", ...revenue.headers, ...original.headers],
    ...rows.map((row) => [row.region, row.orders, ...revenue.cells(row), ...original.cells(row)]),
  ];
}

function productsTile({ topProducts: rows, unrankedProducts, money }) {
  const texts = rows.map((row) => formatMoney(row.revenue, money.currency));
  const original = currencyColumns(rows, "originals");
  const unranked = unrankedProducts ? `; not ranked: ${countOf(unrankedProducts, "product")} without an exchange rate` : "";
  return {
    rule: `the ten with the highest revenue, before discount and tax${unranked}`,
    summary: rows.length && `highest ${nameOrNone(rows[0].product)}: ${texts[0]}`,
    csv: () => [
      ["Product", "SKU", "Category", "Quantity", revenueHeader(money), ...original.headers],
      ...rows.map((row) => [row.product ?? "", row.key, row.category, row.quantity, row.revenue, ...original.cells(row)]),
    ],
    headers: ["Product", "SKU", "Category", "Quantity", "Revenue", ...originalHeader(money)],
    rows: rows.map((row, index) => [
      nameOrNone(row.product),
      row.key,
      nameOrNone(row.category),
      formatQuantity(row.quantity),
      texts[index],
      ...originalCell(row, money),
    ]),
    labels: rows.map(({ product }) => nameOrNone(product)),
    series: [{ name: "", colour: "accent", values: rows.map(({ revenue }) => barLength(revenue)), texts }],
    isHorizontal: true,
    rowHeight: 28,
  };
}

