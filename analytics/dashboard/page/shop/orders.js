// The list of sold orders behind the bars, in a page with details only.

const ORDER_HEADERS = ["Order", "Payment date", "Customer", "Region", "Status", "Total"];

/** Decode the newest sold orders; a page without details has none. */
function decodeOrders(fact) {
  if (fact === undefined) return [];
  return decodeRows(fact).map((row) => ({ ...row, categories: JSON.parse(row.categories) }));
}

/** Return the orders behind the revenue that is shown: of these filters and in this currency, or all. */
function filterOrders(orders, filters, money) {
  return orders.filter(
    ({ day, region, categories, currency }) =>
      isWithinDays(day, filters) &&
      (filters.region === null || region === filters.region) &&
      (filters.category === null || categories.includes(filters.category)) &&
      (money.rates !== null || currency === money.currency),
  );
}

/** Show the orders, and how many the page does not contain. */
function showOrders({ listedOrders: orders, sold, money }) {
  document.getElementById("listed").hidden = !pageData.with_details || !sold.orders;
  const leftOut = sold.orders - orders.length;
  setText("listed-rule", [describeListed(orders.length, sold.orders, leftOut), "a click on the bar of a day, region or category selects its orders"]);
  const lines = orders.map((row) => [
    row.order_id,
    formatTime(dayFormat, row.day),
    nameOrNone(row.customer),
    nameOrNone(row.region),
    row.status,
    row.total === null ? "unreadable" : formatMoney(parseAmount(row.total), row.currency),
    ...convertedTotal(row, money, (total) => formatMoney(total, money.currency)),
  ]);
  const headers = [...ORDER_HEADERS, ...(money.rates === null ? [] : [`In ${money.currency}`])];
  document.getElementById("listed-table").replaceChildren(createTable("Sold orders", headers, lines));
  nameExports(document.getElementById("listed"), "Sold orders");
}

/** Return the cell of an order's converted total, or no cell if nothing is converted. */
function convertedTotal(row, { rates }, format) {
  if (rates === null) return [];
  return [row.total === null ? "" : format(convert(parseAmount(row.total), row, rates))];
}

function describeListed(count, soldCount, leftOut) {
  if (!leftOut) return `all ${orderCount(soldCount)} of this selection, newest first`;
  const newest = numberFormat.format(rows.orders.length);
  return `${numberFormat.format(count)} of ${orderCount(soldCount)}, newest first; ${numberFormat.format(leftOut)} left out: the page contains only the newest ${newest}`;
}

/** Return the lines of the orders' CSV. */
function orderLines({ listedOrders, money }) {
  const { currency, rates } = money;
  const headers = rates === null ? [inUnit("Total", currency)] : ["Currency", "Total", inUnit("Converted total", currency)];
  const lines = listedOrders.map((row) => [
    row.order_id,
    row.day,
    row.customer,
    row.region,
    row.status,
    ...(rates === null ? [] : [row.currency]),
    row.total === null ? "" : parseAmount(row.total),
    ...convertedTotal(row, money, (total) => total),
  ]);
  return [[...ORDER_HEADERS.slice(0, -1), ...headers], ...lines];
}
