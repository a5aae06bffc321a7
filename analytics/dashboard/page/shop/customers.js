// New and returning customers by month, and cohorts: customers by the month of their first sold order.

const MAX_MONTHS_LATER = 24; // Columns of the table of cohorts; its CSV has all.

/**
 * Return the rows that pass the filters of days and region. Customers are counted in all categories;
 * where the region is not that of a first order, a row without region stands for all regions.
 */
function filterCustomers(rows, filters, hasRowForAll) {
  return rows.filter(
    (row) =>
      isWithinDays(row.day, filters) && (row.region === filters.region || (!hasRowForAll && filters.region === null)),
  );
}

/**
 * Return the customers of each month. Each counts once in a month, on the first day in the filters'
 * period: a row whose customers had bought on an earlier day of it does not count.
 */
function countCustomers(rows, filters) {
  const isFirst = ({ previous_day }) => previous_day === null || (filters.from !== null && previous_day < filters.from);
  const selected = filterCustomers(rows.customers, filters, true).filter(isFirst);
  return [...groupBy(selected.map((row) => ({ ...row, month: monthOf(row.day) })), "month")]
    .map(([month, rows]) => ({ month, fresh: sumOf(rows, "new_customers"), returning: sumOf(rows, "returning_customers") }))
    .sort((a, b) => compare(a.month, b.month));
}

/** Return the cohorts: the month, its customers, and how many of them bought in each later month. */
function countCohorts(rows, filters) {
  const selected = filterCustomers(rows.cohorts, filters, false);
  return [...groupBy(selected.map((row) => ({ ...row, month: monthOf(row.day) })), "month")]
    .map(([month, rows]) => ({ month, active: sumByMonthsLater(rows) }))
    .sort((a, b) => compare(a.month, b.month));
}

function sumByMonthsLater(rows) {
  const active = [];
  for (const row of rows) active[row.months_later] = (active[row.months_later] ?? 0) + row.customers;
  return Array.from(active, (count) => count ?? 0);
}

/** Return how many customers bought for the first time ever. */
function countFirstPurchases(rows, filters) {
  return sumOf(filterCustomers(rows.cohorts, filters, false).filter(({ months_later }) => months_later === 0), "customers");
}

function monthOf(day) {
  return `${day.slice(0, 7)}-01`;
}

/** Return how many months one month is after another. */
function monthsBetween(first, other) {
  const [start, end] = [first, other].map((day) => 12 * Number(day.slice(0, 4)) + Number(day.slice(5, 7)));
  return end - start;
}

function customersTile({ customers: rows, allCategories }) {
  const totals = rows.map(({ fresh, returning }) => fresh + returning);
  const shares = rows.map(({ returning }, index) => formatDecimal(BigInt(returning) * ONE, 3, totals[index]));
  const labels = rows.map(({ month }) => formatTime(monthFormat, month));
  const counts = ["fresh", "returning"].map((name) => rows.map((row) => numberFormat.format(row[name])));
  return {
    rule: `customers with a sold order in this selection, new in the month of their first order${allCategories}`,
    summary: rows.length && labels.map((label, index) => `${label} ${counts[0][index]} new, ${counts[1][index]} returning`).join("; "),
    csv: () => [
      ["Month", "Customers", "New", "Returning", inUnit("Returning", "%")],
      ...rows.map((row, index) => [row.month, totals[index], row.fresh, row.returning, percentOf(row.returning, totals[index])]),
    ],
    headers: ["Month", "Customers", "New", "Returning", "Share"],
    rows: labels.map((label, index) => [
      label,
      numberFormat.format(totals[index]),
      ...counts.map((texts) => texts[index]),
      percentFormat.format(shares[index]),
    ]),
    labels,
    series: [
      { name: "returning", colour: "accent", values: rows.map(({ returning }) => returning), texts: counts[1] },
      { name: "new", colour: "good", values: rows.map(({ fresh }) => fresh), texts: counts[0] },
    ],
    isStacked: true,
    isInteger: true,
    formatAxis: (value) => compactFormat.format(value),
  };
}

/** Show the cohorts; a month that is not over has a star. */
function showCohorts({ cohorts, allCategories }, lastMonth) {
  const section = document.getElementById("cohorts");
  const isEmpty = !cohorts.length;
  section.querySelector(".scroll").hidden = isEmpty;
  section.querySelector(".exports").hidden = isEmpty;
  section.querySelector(".empty").hidden = !isEmpty;
  setText("cohorts-rule", `share of the new customers of a month who bought again, by months later; * the month is not over${allCategories}`);
  const months = Math.max(0, ...cohorts.map(({ month, active }) => Math.max(active.length - 1, monthsBetween(month, lastMonth))));
  const columns = Array.from({ length: Math.min(months, MAX_MONTHS_LATER) }, (_, index) => index + 1);
  const headers = ["First order", "Customers", ...columns.map((number) => numberFormat.format(number))];
  const table = createTable("Cohorts", headers, cohorts.map((row) => cohortCells(row, columns, lastMonth)));
  section.querySelector(".scroll").replaceChildren(table);
  nameExports(section, "Cohorts");
}

function cohortCells({ month, active }, columns, lastMonth) {
  const later = columns.map((months) => retentionText(active, months, monthsBetween(month, lastMonth)));
  return [formatTime(monthFormat, month), numberFormat.format(active[0]), ...later];
}

/** Return the share of a cohort that was active in a month, or nothing of a month that has not begun. */
function retentionText(active, months, monthsUntilNow) {
  const count = active[months] ?? 0;
  if (months > monthsUntilNow && !count) return "";
  const share = percentFormat.format(formatDecimal(BigInt(count) * ONE, 3, active[0]));
  return months >= monthsUntilNow ? `${share}*` : share;
}

/** Return the lines of the cohorts' CSV: those of the query cohort_retention. */
function cohortLines(cohorts) {
  const lines = cohorts.flatMap(({ month, active }) =>
    active.flatMap((count, months) => (count ? [[month, months, active[0], count, percentOf(count, active[0])]] : [])),
  );
  return [["First order", "Months later", "Customers", "Active", inUnit("Active", "%")], ...lines];
}
