// The shop's page: its filters, its tiles and what it says of them.

/** Show the orders without a readable total; Athena lists only the first of very many. */
function showUnreadableTotals({ unreadableCount, unreadableTotals }) {
  const title = "Excluded from revenue";
  const counts = [unreadableTotals.length, unreadableCount].map((count) => numberFormat.format(count));
  const isLimited = unreadableTotals.length < unreadableCount;
  document.getElementById("unreadable").hidden = !unreadableTotals.length;
  setText("h-unreadable", isLimited ? `${title}: first ${counts[0]} of ${counts[1]}` : title);
  const headers = ["Order", "Payment date", "Region", "Stored total"];
  const lines = unreadableTotals.map((row) => [
    row.order_id,
    formatTime(dayFormat, row.day),
    nameOrNone(row.region),
    nameOrNone(row.total),
  ]);
  document.getElementById("unreadable-table").replaceChildren(createTable(title, headers, lines));
  nameExports(document.getElementById("unreadable"), title);
}

/** Save the orders without a readable total. */
function saveUnreadableTotals() {
  const lines = figures.unreadableTotals.map((row) => [row.order_id, row.day ?? "", row.region, row.total]);
  saveCsv("Excluded from revenue", [["Order", "Payment date", "Region", "Stored total"], ...lines]);
}

/** Explain an empty page; null if it is not empty. */
function describeEmptyShop({ orders, currencies, pipeline }) {
  const hasData = filters.tab === "pipeline" ? pipeline.changesPerHour.length : orders || currencies.length;
  if (hasData) return null;
  return rows.changes.length
    ? "Nothing matches these filters. Use Reset to show everything."
    : "The lake holds no orders yet. Run python data_generator.py, wait a minute and regenerate this page.";
}

function announceOrders({ orders, listedOrders }) {
  const revenue = ["revenue", "revenue-note", "revenue-before"].map((id) => document.getElementById(id).textContent).filter(Boolean).join(", ");
  const listed = pageData.with_details ? `, ${numberFormat.format(listedOrders.length)} listed` : "";
  return `${orderCount(orders)} placed, revenue ${revenue}${listed}`;
}

/**
 * Select the days of a bar, within those of the filters, and its currency; or all days if the bar's
 * are selected already.
 */
function toggleDays({ day, end }) {
  const from = filters.from !== null && filters.from > day ? filters.from : day;
  const to = filters.to !== null && filters.to < end ? filters.to : end;
  const isSelected = filters.from === from && filters.to === to;
  setFilters({ ...filters, currency: figures.currency, period: null, from: isSelected ? null : from, to: isSelected ? null : to });
}

/** Return the sorted values of a property. */
function distinctValues(allRows, property) {
  return [...new Set(allRows.map((row) => row[property]))].filter((value) => value !== null).sort(compare);
}

const view = {
  lists: ["region", "category", "currency"],
  decodeFacts,
  dataDays: ({ placedOrders, soldOrders }, today) => daysUntil([...placedOrders, ...soldOrders], today),
  listChoices: (rows) => ({
    region: distinctValues(rows.placedOrders, "region"),
    category: distinctValues(rows.placedOrders, "category"),
    currency: currencyChoices(rows),
  }),
  computeFigures,
  build() {
    if (rows.rates !== null) setText("conversion", describeConversion(rows.rates));
    document.querySelector("#cohorts .exports").append(exportButton("CSV", () => saveCsv("Cohorts", cohortLines(figures.cohorts))));
    document.querySelector("#listed .exports").append(exportButton("CSV", () => saveCsv("Sold orders", orderLines(figures))));
    document.querySelector("#unreadable .exports").append(exportButton("CSV", saveUnreadableTotals));
  },
  showFigures(figures) {
    showNumbers(figures, filters);
    showTarget(figures, madeOn);
    showCohorts(figures, monthOf(madeOn));
    showOrders(figures);
    showUnreadableTotals(figures);
  },
  tiles: {
    "by-day": byDayTile,
    "by-category": (figures) => limitBars(byCategoryTile(figures)),
    funnel: funnelTile,
    steps: stepsTile,
    regions: (figures) => limitBars(regionsTile(figures)),
    products: productsTile,
    customers: customersTile,
  },
  notice: describeEmptyShop,
  announcement: announceOrders,
};
