// Change of the figures against the previous period: the same number of days, just before.

/** Return the period before the one of the filters, or null if that has no bounds. */
function previousPeriod({ from, to }) {
  if (from === null || to === null || to < from) return null;
  const days = countDays(from, to);
  return { from: addDays(from, -days), to: addDays(from, -1), days };
}

/**
 * Return what `sumPeriod` makes of the filters' period and of the one before; that is null if the
 * lake begins later.
 */
function comparePeriods(filters, firstDay, sumPeriod) {
  const period = previousPeriod(filters);
  if (period === null) return null;
  const hasData = firstDay !== null && firstDay <= period.from;
  return {
    period,
    now: sumPeriod(filters),
    before: hasData ? sumPeriod({ ...filters, from: period.from, to: period.to }) : null,
  };
}

/**
 * Show what each figure was in the period before, and by how much it has changed. For each tile, a
 * function of both sums returns the text before, and the change, or null without one.
 */
function showComparison(comparison, describers) {
  setText("comparison", comparison === null ? "" : describePeriods(comparison));
  for (const [id, describe] of Object.entries(describers)) {
    setText(`${id}-before`, comparison === null ? "" : `${beforeLabel(comparison)}: ${describeChange(comparison, describe)}`);
  }
}

function beforeLabel({ period }) {
  return `${countOf(period.days, "day")} before`;
}

function describePeriods({ period, before }) {
  const days = formatDays(period.from, period.to);
  const missing = before === null ? ": the data does not reach back so far" : "";
  return `Compared with the ${beforeLabel({ period })}, ${days}${missing}`;
}

function describeChange({ now, before }, describe) {
  if (before === null) return "no previous data";
  const [text, change] = describe(now, before);
  return change === null ? text : `${text}, ${change}`;
}

/** Return a function that describes the change of a count. */
function countChange(name) {
  return (now, before) => [numberFormat.format(before[name]), formatGrowth(BigInt(now[name]), BigInt(before[name]))];
}

/** Format the change from one exact number to another as a percentage; null if there is nothing to divide. */
function formatGrowth(now, before) {
  return now !== null && before > 0n ? growthFormat.format(formatDecimal((now - before) * ONE, 3, before)) : null;
}

