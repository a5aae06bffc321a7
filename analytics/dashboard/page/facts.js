// The facts of the page as rows, and what every page does with rows.

function decodeRows(fact, amountColumns = []) {
  const names = Object.keys(fact);
  const columns = names.map((name) => decodeColumn(fact[name], amountColumns.includes(name)));
  return columns[0].map((_, row) =>
    Object.fromEntries(names.map((name, column) => [name, columns[column][row]])),
  );
}

function decodeColumn(values, isAmount) {
  if (Array.isArray(values)) return isAmount ? values.map(parseAmount) : values;
  return values.indexes.map((index) => values.texts[index]);
}

function isWithinDays(day, { from, to }) {
  if (from === null && to === null) return true;
  return day !== null && (from === null || from <= day) && (to === null || day <= to);
}

/** Return an object whose members are computed when they are first read. */
function lazily(functions) {
  const object = {};
  for (const [name, compute] of Object.entries(functions)) {
    const get = () => {
      const value = compute();
      Object.defineProperty(object, name, { value, writable: true });
      return value;
    };
    Object.defineProperty(object, name, { get, configurable: true });
  }
  return object;
}

/** Return the first and the last day of rows until today: null without rows. */
function daysUntil(rows, today) {
  const days = rows.map(({ day }) => day).filter((day) => day !== null && day <= today);
  return {
    first: days.reduce((a, b) => (a < b ? a : b), days[0] ?? null),
    last: days.reduce((a, b) => (a > b ? a : b), days[0] ?? null),
  };
}

/** Group rows by a property. */
function groupBy(rows, property) {
  const groups = new Map();
  for (const row of rows) {
    if (!groups.has(row[property])) groups.set(row[property], []);
    groups.get(row[property]).push(row);
  }
  return groups;
}

function compare(a, b) {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
