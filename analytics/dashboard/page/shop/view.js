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
function describeEmptyShop({ orders, changesPerHour }) {
  if (orders > 0 || changesPerHour.length > 0) return null;
  return rows.changes.length
    ? "Nothing matches these filters. Use Reset to show everything."
    : "The lake holds no orders yet. Run python data_generator.py, wait a minute and regenerate this page.";
}

function announceOrders({ orders }) {
  const revenue = ["revenue", "revenue-note", "revenue-before"].map((id) => document.getElementById(id).textContent).filter(Boolean).join(", ");
  return `${orderCount(orders)} placed, revenue ${revenue}`;
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
    region: distinctValues([...rows.placedOrders, ...rows.changes], "region"),
    category: distinctValues([...rows.placedOrders, ...rows.products, ...rows.changes], "category"),
    currency: distinctValues(rows.soldOrders, "currency"),
  }),
  computeFigures,
  build() {
    document.querySelector("#cohorts .exports").append(exportButton("CSV", () => saveCsv("Cohorts", cohortLines(figures.cohorts))));
    document.querySelector("#unreadable .exports").append(exportButton("CSV", saveUnreadableTotals));
  },
  showFigures(figures) {
    showNumbers(figures, filters);
    showTarget(figures, madeOn);
    showCohorts(figures, monthOf(madeOn));
    showUnreadableTotals(figures);
  },
  chartTiles: (figures) => ({
    "by-day": byDayTile(figures),
    "by-category": limitBars(byCategoryTile(figures)),
    funnel: funnelTile(figures),
    steps: stepsTile(figures),
    regions: limitBars(regionsTile(figures)),
    products: productsTile(figures),
    customers: customersTile(figures),
  }),
  notice: describeEmptyShop,
  announcement: announceOrders,
};
