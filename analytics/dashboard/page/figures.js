// What the tiles show: pure functions of the facts and of the filters.

/** Return a fact's rows as objects, amounts exact. */
function rowsOf(fact, amounts = []) {
  const names = Object.keys(fact);
  const columns = names.map((name) => column(fact[name], amounts.includes(name)));
  return columns[0].map((_, row) =>
    Object.fromEntries(names.map((name, place) => [name, columns[place][row]])),
  );
}

function column(values, isAmount) {
  if (Array.isArray(values)) return isAmount ? values.map(exact) : values;
  return values.at.map((place) => values.texts[place]);
}

/** Return all facts, read once. */
function allRows(facts) {
  const steps = rowsOf(facts.steps).map((row) => ({ ...row, minutes: row.minutes.split(" ").map(Number) }));
  return {
    placed: rowsOf(facts.placed),
    sold: rowsOf(facts.sold, ["revenue"]),
    products: rowsOf(facts.products, ["revenue", "pieces"]),
    steps,
    changes: rowsOf(facts.changes),
    unread: rowsOf(facts.unread),
  };
}

/** Return the rows that the filters leave; a row of every category has none of its own. */
function selected(rows, filters, hasOwnCategory = false) {
  return rows.filter(
    (row) =>
      withinDays(row.day === undefined ? row.hour.slice(0, 10) : row.day, filters) &&
      (filters.region === null || row.region === filters.region) &&
      (row.category === filters.category || (hasOwnCategory && filters.category === null)),
  );
}

function withinDays(day, { from, to }) {
  if (from === null && to === null) return true;
  return day !== null && (from === null || from <= day) && (to === null || day <= to);
}

/** Return rows in groups, by some property. */
function grouped(rows, property) {
  const groups = new Map();
  for (const row of rows) {
    if (!groups.has(row[property])) groups.set(row[property], []);
    groups.get(row[property]).push(row);
  }
  return groups;
}

/** Return what every tile shows under these filters. */
function figures(rows, filters, today) {
  const sold = selected(rows.sold, filters);
  const currencies = soldByCurrency(sold);
  const known = currencies.map(({ currency }) => currency);
  const currency = known.includes(filters.currency) ? filters.currency : (known[0] ?? null);
  const products = selected(rows.products, filters, true).filter((row) => row.currency === currency);
  const placed = selected(rows.placed, filters);
  const real = placed.filter((row) => row.test === "false" && row.day !== null);
  const changes = selected(rows.changes, filters);
  return {
    currency,
    currencies,
    held: sum(placed, "held"),
    orders: sum(real, "placed"),
    cancelled: sum(real, "cancelled"),
    unread: sum(sold, "unread"),
    unreadOrders: selected(rows.unread, filters),
    revenueByDay: byDay(sold.filter((row) => row.currency === currency)),
    revenueByCategory: byRevenue(grouped(products, "category")),
    topProducts: byRevenue(grouped(products, "sku")).slice(0, 10),
    funnel: ["placed", "paid", "shipped", "delivered", "returned"].map((step) => [step, sum(real, step)]),
    steps: timesBetween(selected(rows.steps, filters)),
    regions: byRegion(real, sold),
    changesToday: sum(changes.filter((row) => row.hour.startsWith(today)), "changes"),
    changesPerHour: byTime(changes, "hour"),
    changesPerDay: byTime(changes.map((row) => ({ ...row, day: row.hour.slice(0, 10) })), "day"),
    lastChange: lastChange(changes),
  };
}

/** Return what was sold in each currency, the one of most orders first: sums never mix them. */
function soldByCurrency(sold) {
  return [...grouped(sold, "currency")]
    .map(([currency, rows]) => ({
      currency,
      orders: sum(rows, "orders"),
      unread: sum(rows, "unread"),
      revenue: sum(rows, "revenue", 0n),
    }))
    .sort((one, other) => other.orders - one.orders || compared(one.currency, other.currency));
}

function compared(one, other) {
  return one < other ? -1 : one > other ? 1 : 0;
}

function byDay(sold) {
  return [...grouped(sold, "day")]
    .map(([day, rows]) => ({ day, orders: sum(rows, "orders"), revenue: sum(rows, "revenue", 0n) }))
    .sort((one, other) => compared(one.day, other.day));
}

function byRevenue(groups) {
  return [...groups]
    .map(([key, rows]) => ({
      key,
      product: rows.map((row) => row.product ?? "").reduce((one, other) => (one > other ? one : other)),
      category: rows[0].category,
      pieces: sum(rows, "pieces", 0n),
      revenue: sum(rows, "revenue", 0n),
    }))
    .sort((one, other) => compared(other.revenue, one.revenue) || compared(one.key, other.key));
}

const STEPS = ["placed → paid", "paid → shipped", "shipped → delivered", "delivered → returned"];

function timesBetween(steps) {
  const groups = grouped(steps, "step");
  return STEPS.flatMap((name, place) => {
    const minutes = (groups.get(place + 1) ?? []).flatMap((row) => row.minutes);
    minutes.sort((one, other) => one - other);
    if (!minutes.length) return [];
    return [{ name, orders: minutes.length, median: quantile(minutes, 0.5), most: quantile(minutes, 0.9) }];
  });
}

function byRegion(placed, sold) {
  const revenues = grouped(sold, "region");
  return [...grouped(placed, "region")]
    .map(([region, rows]) => ({
      region,
      orders: sum(rows, "placed"),
      revenues: soldByCurrency(revenues.get(region) ?? []),
    }))
    .sort((one, other) => other.orders - one.orders || compared(one.region, other.region));
}

function byTime(changes, unit) {
  return [...grouped(changes, unit)]
    .map(([time, rows]) => ({ time, of: totals(rows) }))
    .sort((one, other) => compared(one.time, other.time));
}

function totals(rows) {
  return Object.fromEntries([...grouped(rows, "operation")].map(([name, of]) => [name, sum(of, "changes")]));
}

function lastChange(changes) {
  const times = changes.map((row) => timeOf(row.hour) + 1000 * row.last_second);
  return times.length ? times.reduce((one, other) => Math.max(one, other)) : null;
}
