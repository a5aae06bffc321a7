// The list of sold orders behind the bars, in a page with details only.

const ORDER_HEADERS = ["Order", "Payment date", "Customer", "Region", "Status", "Total"];

/** Decode the newest sold orders; a page without details has none. */
function decodeOrders(fact) {
  if (fact === undefined) return [];
  return decodeRows(fact).map((row) => ({ ...row, categories: JSON.parse(row.categories) }));
}

/** Return the orders behind the revenue that is shown: of these filters and in this currency. */
function filterOrders(orders, filters, shownCurrency) {
  return orders.filter(
    ({ day, region, categories, currency }) =>
      isWithinDays(day, filters) &&
      (filters.region === null || region === filters.region) &&
      (filters.category === null || categories.includes(filters.category)) &&
      currency === shownCurrency,
  );
}

/** Show the orders, and how many the page does not contain. */
function showOrders({ listedOrders: orders, soldCount, currency }) {
  document.getElementById("listed").hidden = !pageData.with_details || !soldCount;
  const leftOut = soldCount - orders.length;
  setText("listed-rule", [describeListed(orders.length, soldCount, leftOut), "a bar of a day, region or category selects its orders"]);
  const lines = orders.map((row) => [
    row.order_id,
    formatTime(dayFormat, row.day),
    nameOrNone(row.customer),
    nameOrNone(row.region),
    row.status,
    row.total === null ? "unreadable" : formatMoney(parseAmount(row.total), currency),
  ]);
  document.getElementById("listed-table").replaceChildren(createTable("Sold orders", ORDER_HEADERS, lines));
  nameExports(document.getElementById("listed"), "Sold orders");
}

function describeListed(count, soldCount, leftOut) {
  if (!leftOut) return `all ${orderCount(soldCount)} of this selection, newest first`;
  const newest = numberFormat.format(rows.orders.length);
  return `${numberFormat.format(count)} of ${orderCount(soldCount)}, newest first; ${numberFormat.format(leftOut)} left out: the page contains only the newest ${newest}`;
}

/** Return the lines of the orders' CSV. */
function orderLines({ listedOrders, currency }) {
  const headers = [...ORDER_HEADERS.slice(0, -1), inUnit("Total", currency)];
  const lines = listedOrders.map((row) => [
    row.order_id,
    row.day,
    row.customer,
    row.region,
    row.status,
    row.total === null ? "" : parseAmount(row.total),
  ]);
  return [headers, ...lines];
}
