// Exact amounts as BigInt: whole numbers of the smallest unit, which is ten to the power of -19.

const DECIMAL_PLACES = 19; // Four of a price, three of a quantity, twelve of an exchange rate.
const ONE = 10n ** BigInt(DECIMAL_PLACES);

/** Return the amount of a decimal number's text. */
function parseAmount(text) {
  const [, sign, whole, fraction = ""] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text);
  return BigInt(sign + whole + fraction.padEnd(DECIMAL_PLACES, "0"));
}

/** Divide two integers and round half away from zero, as Athena does. */
function divideRounded(value, divisor) {
  const half = (value < 0n ? -divisor : divisor) / 2n;
  return (value + half) / divisor;
}

/** Format an amount, divided by `parts`, as a decimal number that is rounded once. */
function formatDecimal(value, places, parts = 1) {
  const scaled = divideRounded(value, BigInt(parts) * 10n ** BigInt(DECIMAL_PLACES - places));
  const digits = String(scaled < 0n ? -scaled : scaled).padStart(places + 1, "0");
  const whole = digits.slice(0, digits.length - places);
  const fraction = digits.slice(digits.length - places);
  return (scaled < 0n ? "-" : "") + whole + (places ? "." + fraction : "");
}

/** Sum a property of rows; `zero` is 0n for amounts and 0 for counts. */
function sumOf(rows, property, zero = 0) {
  return rows.reduce((total, row) => total + row[property], zero);
}

