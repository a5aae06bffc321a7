// The figures of the tiles: pure functions of the facts and the filters.

const STATUSES = ["placed", "paid", "shipped", "delivered", "returned"];

/** Decode all facts into arrays of row objects, each when it is needed. */
function decodeFacts(facts) {
  return lazily({
    placedOrders: () => decodeRows(facts.placed_orders),
    soldOrders: () => decodeRows(facts.sold_orders, ["revenue"]),
    products: () => decodeRows(facts.products, ["revenue", "quantity"]),
    stepTimes: () => decodeRows(facts.step_times),
    customers: () => decodeRows(facts.customers),
    cohorts: () => decodeRows(facts.cohorts),
    changes: () => decodeRows(facts.changes),
    unreadableTotals: () => decodeRows(facts.unreadable_totals),
    orders: () => decodeOrders(facts.listed_orders),
  });
}

/**
 * Return the rows that pass the filters. Most facts have a row for each category and one for all
 * of them (null); facts with `hasOwnCategory` have no such sum, so no filter means every row. Facts
 * without category have an undefined one.
 */
function filterRows(rows, filters, hasOwnCategory = false) {
  return rows.filter(
    (row) =>
      isWithinDays(row.day, filters) &&
      (filters.region === null || row.region === filters.region) &&
      (row.category === filters.category || (hasOwnCategory && filters.category === null)),
  );
}

function isRealOrder({ test, day }) {
  return test === "false" && day !== null;
}

/**
 * Return the figures of every tile under these filters, each computed when it is needed; the data is
 * of the days from `firstDay` to `lastDay`.
 */
function computeFigures(rows, filters, { today, firstDay, lastDay }) {
  const soldOrders = filterRows(rows.soldOrders, filters);
  const currencies = revenueByCurrency(soldOrders);
  const currency = chooseCurrency(currencies, filters.currency);
  const ownCurrency = soldOrders.filter((row) => row.currency === currency).sort((a, b) => compare(a.day, b.day));
  const grain = filters.grain ?? "day";
  const placedOrders = filterRows(rows.placedOrders, filters);
  const realOrders = placedOrders.filter(isRealOrder);
  const products = lazily({
    rows: () => filterRows(rows.products, filters, true).filter((row) => row.currency === currency),
  });
  return Object.assign(
    lazily({
      target: () => monthAgainstTarget(rows, filters, currency, lastDay ?? today),
      comparison: () => comparePeriods(filters, firstDay, (period) => sumPeriod(rows, period, currency)),
      unreadableTotals: () => filterRows(rows.unreadableTotals, filters),
      revenueByGrain: () => sumByGrain(ownCurrency, grain, filters, today, sumRevenue),
      listedOrders: () => filterOrders(rows.orders, filters, currency),
      revenueByCategory: () => rankByRevenue(groupBy(products.rows, "category")),
      topProducts: () => rankByRevenue(groupBy(products.rows, "sku")).slice(0, 10),
      steps: () => summarizeSteps(filterRows(rows.stepTimes, { ...filters, category: undefined })),
      regions: () => sumByRegion(realOrders, soldOrders),
      customers: () => countCustomers(rows, filters),
      cohorts: () => countCohorts(rows, filters),
      firstPurchases: () => countFirstPurchases(rows, filters),
      pipeline: () => pipelineFigures(rows.changes, filters, today),
    }),
    {
      currency,
      currencies,
      grain,
      soldCount: sumOf(ownCurrency, "orders"),
      inTable: sumOf(placedOrders, "in_table"),
      orders: sumOf(realOrders, "placed"),
      cancelled: sumOf(realOrders, "cancelled"),
      unreadableCount: sumOf(soldOrders, "unreadable"),
      funnel: STATUSES.map((status) => [status, sumOf(realOrders, status)]),
      allCategories: filters.category === null ? "" : "; of all categories",
    },
  );
}

/** Return the sums behind the tiles of numbers, in one currency. */
function sumPeriod(rows, filters, currency) {
  const soldOrders = filterRows(rows.soldOrders, filters).filter((row) => row.currency === currency);
  const placedOrders = filterRows(rows.placedOrders, filters).filter(isRealOrder);
  return {
    revenue: sumOf(soldOrders, "revenue", 0n),
    readable: sumOf(soldOrders, "orders") - sumOf(soldOrders, "unreadable"),
    orders: sumOf(placedOrders, "placed"),
    cancelled: sumOf(placedOrders, "cancelled"),
    firstPurchases: countFirstPurchases(rows, filters),
  };
}

/** Sum orders by currency, the one with most orders first; currencies are never added. */
function revenueByCurrency(soldOrders) {
  return [...groupBy(soldOrders, "currency")]
    .map(([currency, rows]) => ({
      currency,
      orders: sumOf(rows, "orders"),
      unreadable: sumOf(rows, "unreadable"),
      revenue: sumOf(rows, "revenue", 0n),
    }))
    .sort((a, b) => b.orders - a.orders || compare(a.currency, b.currency));
}

function chooseCurrency(currencies, preferred) {
  const names = currencies.map(({ currency }) => currency);
  return names.includes(preferred) ? preferred : (names[0] ?? null);
}

function sumRevenue(soldOrders) {
  return { orders: sumOf(soldOrders, "orders"), revenue: sumOf(soldOrders, "revenue", 0n) };
}

function rankByRevenue(groups) {
  return [...groups]
    .map(([key, rows]) => ({
      key,
      product: rows.map((row) => row.product ?? "").reduce((a, b) => (a > b ? a : b)),
      category: rows[0].category,
      quantity: sumOf(rows, "quantity", 0n),
      revenue: sumOf(rows, "revenue", 0n),
    }))
    .sort((a, b) => compare(b.revenue, a.revenue) || compare(a.key, b.key));
}

function summarizeSteps(stepTimes) {
  const rowsByStep = groupBy(stepTimes, "step");
  return STATUSES.slice(1).flatMap((status, index) => {
    const minutes = sumDurations(rowsByStep.get(index + 1) ?? []);
    if (!minutes.length) return [];
    const name = `${STATUSES[index]} → ${status}`;
    return [{ name, orders: sumOf(minutes, "orders"), median: quantile(minutes, 0.5), percentile90: quantile(minutes, 0.9) }];
  });
}

/** Return the durations in minutes, the shortest first, with the number of orders that took each. */
function sumDurations(stepTimes) {
  const counts = new Map();
  for (const row of stepTimes) {
    let duration = 0;
    for (const entry of row.durations.split(" ")) {
      const [distance, orders = "1"] = entry.split("x");
      duration += Number(distance);
      counts.set(duration, (counts.get(duration) ?? 0) + Number(orders));
    }
  }
  return [...counts]
    .sort(([a], [b]) => a - b)
    .map(([duration, orders]) => ({ minutes: minutesOf(duration), orders }));
}

/** Return the minutes of a duration's number in the fact. */
function minutesOf(duration) {
  if (duration < 120) return duration;
  return duration < 580 ? 6 * (duration - 100) : 144 * (duration - 560);
}

/** Return the nearest-rank quantile of durations. */
function quantile(durations, share) {
  let rank = Math.max(1, Math.ceil(share * sumOf(durations, "orders")));
  return durations.find(({ orders }) => (rank -= orders) <= 0).minutes;
}

function sumByRegion(placedOrders, soldOrders) {
  const soldByRegion = groupBy(soldOrders, "region");
  return [...groupBy(placedOrders, "region")]
    .map(([region, rows]) => ({
      region,
      orders: sumOf(rows, "placed"),
      revenues: revenueByCurrency(soldByRegion.get(region) ?? []),
    }))
    .sort((a, b) => b.orders - a.orders || compare(a.region, b.region));
}

