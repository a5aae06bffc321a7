// Change of the figures against the previous period: the same number of days, just before.

/** Return the period before the one of the filters, or null if that has no bounds. */
function previousPeriod({ from, to }) {
  if (from === null || to === null || to < from) return null;
  const days = countDays(from, to);
  return { from: addDays(from, -days), to: addDays(from, -1), days };
}

/** Return the sums of a period and of the one before, whose sums are null if the lake begins later. */
function comparePeriods(rows, filters, currency, firstDay) {
  const period = previousPeriod(filters);
  if (period === null) return null;
  const hasData = firstDay !== null && firstDay <= period.from;
  return {
    period,
    now: sumPeriod(rows, filters, currency),
    before: hasData ? sumPeriod(rows, { ...filters, from: period.from, to: period.to }, currency) : null,
  };
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

/** Show what each figure was in the period before, and by how much it has changed. */
function showComparison({ comparison, currency }) {
  setText("comparison", comparison === null ? "" : describePeriods(comparison));
  for (const id of ["revenue", "orders", "average", "cancelled", "newcomers"]) {
    setText(`${id}-before`, comparison === null ? "" : `${beforeLabel(comparison)}: ${describeChange(id, comparison, currency)}`);
  }
}

function beforeLabel({ period }) {
  return `${countOf(period.days, "day")} before`;
}

function describePeriods({ period, before }) {
  const days = formatDays(period.from, period.to);
  const missing = before === null ? ": the lake does not reach back so far" : "";
  return `Compared with the ${beforeLabel({ period })}, ${days}${missing}`;
}

function describeChange(id, { now, before }, currency) {
  if (before === null) return "no previous data";
  const [text, change] = changes[id](now, before, currency);
  return change === null ? text : `${text}, ${change}`;
}

/** The text of each figure before, and its change or null where there is nothing to divide by. */
const changes = {
  revenue: (now, before, currency) => [formatMoney(before.revenue, currency), formatGrowth(now.revenue, before.revenue)],
  orders: (now, before) => [numberFormat.format(before.orders), formatGrowth(BigInt(now.orders), BigInt(before.orders))],
  average: (now, before, currency) => {
    if (!before.readable) return ["no orders sold", null];
    const text = formatMoney(before.revenue, currency, before.readable);
    // The averages with a common denominator: a / b and c / d compare as a * d and c * b.
    const [average, averageBefore] = [now.revenue * BigInt(before.readable), before.revenue * BigInt(now.readable)];
    return [text, now.readable ? formatGrowth(average, averageBefore) : null];
  },
  newcomers: (now, before) => [
    numberFormat.format(before.firstPurchases),
    formatGrowth(BigInt(now.firstPurchases), BigInt(before.firstPurchases)),
  ],
  cancelled: (now, before) => {
    if (!before.orders) return ["no orders", null];
    const text = percentFormat.format(before.cancelled / before.orders);
    return [text, now.orders ? formatPoints(now, before) : null];
  },
};

/** Format the change from one exact number to another as a percentage, or null from zero or less. */
function formatGrowth(now, before) {
  return before > 0n ? growthFormat.format(formatDecimal((now - before) * ONE, 3, before)) : null;
}

/** Format the change of the cancelled share in percentage points. */
function formatPoints(now, before) {
  const [share, shareBefore] = [BigInt(now.cancelled * before.orders), BigInt(before.cancelled * now.orders)];
  const points = formatDecimal((share - shareBefore) * 100n * ONE, 1, BigInt(now.orders * before.orders));
  return `${signedFormat.format(points)} points`;
}
