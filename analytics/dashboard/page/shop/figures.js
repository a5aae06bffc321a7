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
    rates: () => decodeRates(facts.exchange_rates),
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
  const money = chooseMoney(currencies, filters.currency, rows.rates);
  const shownOrders = rowsInMoney(soldOrders, money).sort((a, b) => compare(a.day, b.day));
  const grain = filters.grain ?? "day";
  const placedOrders = filterRows(rows.placedOrders, filters);
  const realOrders = placedOrders.filter(isRealOrder);
  const products = lazily({
    rows: () => rowsInMoney(filterRows(rows.products, filters, true), money),
    ranked: () => rankByRevenue(groupBy(products.rows, "sku")),
  });
  return Object.assign(
    lazily({
      target: () => monthAgainstTarget(rows, filters, money, lastDay ?? today),
      comparison: () => comparePeriods(filters, firstDay, (period) => sumPeriod(rows, period, money)),
      unreadableTotals: () => filterRows(rows.unreadableTotals, filters),
      revenueByGrain: () => sumByGrain(shownOrders, grain, filters, today, sumSold),
      listedOrders: () => filterOrders(rows.orders, filters, money),
      revenueByCategory: () => rankByRevenue(groupBy(products.rows, "category")),
      topProducts: () => products.ranked.slice(0, 10),
      unrankedProducts: () => products.ranked.filter(({ revenue }) => revenue === null).length,
      steps: () => summarizeSteps(filterRows(rows.stepTimes, { ...filters, category: undefined })),
      regions: () => sumByRegion(realOrders, soldOrders, money),
      customers: () => countCustomers(rows, filters),
      cohorts: () => countCohorts(rows, filters),
      firstPurchases: () => countFirstPurchases(rows, filters),
      pipeline: () => pipelineFigures(rows.changes, filters, today),
    }),
    {
      currency: money.name,
      money,
      currencies,
      grain,
      sold: { ...sumSold(shownOrders), unreadable: sumOf(shownOrders, "unreadable") },
      withoutRate: sumOf(shownOrders.filter(({ revenue }) => revenue === null), "orders"),
      inTable: sumOf(placedOrders, "in_table"),
      orders: sumOf(realOrders, "placed"),
      cancelled: sumOf(realOrders, "cancelled"),
      unreadableCount: sumOf(soldOrders, "unreadable"),
      funnel: STATUSES.map((status) => [status, sumOf(realOrders, status)]),
      allCategories: filters.category === null ? "" : "; of all categories",
    },
  );
}

/** Return the sums behind the tiles of numbers. */
function sumPeriod(rows, filters, money) {
  const soldOrders = rowsInMoney(filterRows(rows.soldOrders, filters), money);
  const placedOrders = filterRows(rows.placedOrders, filters).filter(isRealOrder);
  return {
    revenue: sumRevenue(soldOrders),
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

function sumSold(soldOrders) {
  return { orders: sumOf(soldOrders, "orders"), revenue: sumRevenue(soldOrders), originals: sumOriginals(soldOrders) };
}

/** Sum the revenue of groups, the highest first; what is not known comes last. */
function rankByRevenue(groups) {
  return [...groups]
    .map(([key, rows]) => ({
      key,
      product: rows.map((row) => row.product ?? "").reduce((a, b) => (a > b ? a : b)),
      category: rows[0].category,
      quantity: sumOf(rows, "quantity", 0n),
      revenue: sumRevenue(rows),
      originals: sumOriginals(rows),
    }))
    .sort((a, b) => compare(a.revenue === null, b.revenue === null) || compare(b.revenue, a.revenue) || compare(a.key, b.key));
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

function sumByRegion(placedOrders, soldOrders, money) {
  const soldByRegion = groupBy(soldOrders, "region");
  return [...groupBy(placedOrders, "region")]
    .map(([region, rows]) => ({
      region,
      orders: sumOf(rows, "placed"),
      ...regionRevenues(soldByRegion.get(region) ?? [], money),
    }))
    .sort((a, b) => b.orders - a.orders || compare(a.region, b.region));
}

