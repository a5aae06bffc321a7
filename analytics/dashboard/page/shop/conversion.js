// Money in one currency: that of the orders, or the reporting currency, into which all of them are
// converted at the rate of their day of payment. Without that rate, converted revenue is null.

/** Return the reporting currency and the rates by currency and day; null on a page without rates. */
function decodeRates(fact) {
  if (fact === undefined) return null;
  const rates = decodeRows(fact);
  const [{ reporting_currency: currency }] = rates;
  const known = rates.filter(({ rate }) => rate !== null);
  return { currency, rateByDay: new Map(known.map((row) => [rateKey(row), parseAmount(row.rate)])) };
}

function rateKey({ currency, day }) {
  return `${day} ${currency}`;
}

/** Return the choices of currency: those of the orders, and perhaps all of them converted. */
function currencyChoices({ soldOrders, rates }) {
  const currencies = distinctValues(soldOrders, "currency");
  return rates === null ? currencies : [...new Set([...currencies, allIn(rates)])];
}

function allIn({ currency }) {
  return `all in ${currency}`;
}

/** Return the money to show: the name of the choice, its currency, and the rates if it is converted. */
function chooseMoney(currencies, preferred, rates) {
  if (rates !== null && preferred === allIn(rates)) return { name: preferred, currency: rates.currency, rates };
  const names = currencies.map(({ currency }) => currency);
  const currency = names.includes(preferred) ? preferred : (names[0] ?? null);
  return { name: currency, currency, rates: null };
}

/** Return the rows whose revenue is shown: those in the currency, or all with their converted revenue. */
function rowsInMoney(rows, { currency, rates }) {
  if (rates === null) return rows.filter((row) => row.currency === currency);
  return rows.map((row) => ({ ...row, original: row.revenue, revenue: convert(row.revenue, row, rates) }));
}

/** Convert an amount of a day and a currency exactly; null without a rate. */
function convert(amount, row, { currency, rateByDay }) {
  if (row.currency === currency) return amount;
  const rate = rateByDay.get(rateKey(row));
  return rate === undefined ? null : (amount * rate) / ONE; // Without a remainder: see ONE.
}

/** Sum the revenue of rows: null if that of any is not known. */
function sumRevenue(rows) {
  return rows.some(({ revenue }) => revenue === null) ? null : sumOf(rows, "revenue", 0n);
}

/** Sum what was converted, by its own currency; nothing if nothing was. */
function sumOriginals(rows) {
  const converted = rows.filter(({ original }) => original !== undefined);
  return [...groupBy(converted, "currency")]
    .map(([currency, rows]) => ({ currency, revenue: sumOf(rows, "original", 0n) }))
    .sort((a, b) => compare(a.currency, b.currency));
}

/** Return the revenue of a region: in each currency, or converted, with what it was converted from. */
function regionRevenues(soldOrders, money) {
  if (money.rates === null) return { revenues: revenueByCurrency(soldOrders), originals: [] };
  const rows = rowsInMoney(soldOrders, money);
  const revenues = rows.length ? [{ currency: money.currency, revenue: sumRevenue(rows) }] : [];
  return { revenues, originals: sumOriginals(rows) };
}

/** Return the header of the original amounts in a table, or no header if nothing is converted. */
function originalHeader({ rates }) {
  return rates === null ? [] : ["Original"];
}

/** Return the cell of the original amounts in a table, or no cell if nothing is converted. */
function originalCell(row, { rates }) {
  if (rates === null) return [];
  return [row.originals.length ? originalLines(row) : "–"];
}

function originalLines({ originals }) {
  return originals.map(({ revenue, currency }) => formatMoney(revenue, currency));
}

function revenueName({ rates }) {
  return rates === null ? "Revenue" : "Converted revenue";
}

/** Return the header of the revenue that is shown, in CSV. */
function revenueHeader(money) {
  return inUnit(revenueName(money), money.currency);
}

/** Return a column of CSV for each currency of a property: the headers, and a row's cells. */
function currencyColumns(rows, property, name = "Revenue") {
  const currencies = [...new Set(rows.flatMap((row) => row[property].map(({ currency }) => currency)))].sort(compare);
  const amountOf = (row, currency) => {
    const sum = row[property].find((sum) => sum.currency === currency);
    return sum === undefined ? 0n : sum.revenue;
  };
  return {
    headers: currencies.map((currency) => inUnit(name, currency)),
    cells: (row) => currencies.map((currency) => amountOf(row, currency)),
  };
}

/** Say how "all in EUR" is reckoned. */
function describeConversion(rates) {
  return (
    `, except under "${allIn(rates)}": there each order is converted at the exchange rate of its day of payment, ` +
    "or else at the latest one of the seven days before; without one, the sum is not known"
  );
}
