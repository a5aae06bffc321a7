// Exact amounts: whole numbers of ten-millionths, which is all that price times quantity can hold.

const PLACES = 7;

/** Return a decimal's text as ten-millionths. */
function exact(text) {
  const [, sign, whole, fraction = ""] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text);
  return BigInt(sign + whole + fraction.padEnd(PLACES, "0"));
}

/** Return the quotient of two whole numbers, a half away from zero, as Athena rounds. */
function divided(value, count) {
  const half = (value < 0n ? -count : count) / 2n;
  return (value + half) / count;
}

/** Return ten-millionths, or a part of so many equal ones, as a decimal's text, rounded once. */
function decimalText(value, places, parts = 1) {
  const scaled = divided(value, BigInt(parts) * 10n ** BigInt(PLACES - places));
  const digits = String(scaled < 0n ? -scaled : scaled).padStart(places + 1, "0");
  const whole = digits.slice(0, digits.length - places);
  const fraction = digits.slice(digits.length - places);
  return (scaled < 0n ? "-" : "") + whole + (places ? "." + fraction : "");
}

/** Return the sum of some property of rows, from 0n for amounts and 0 for counts. */
function sum(rows, property, zero = 0) {
  return rows.reduce((total, row) => total + row[property], zero);
}

/** Return the smallest value that at least this share of the sorted numbers does not exceed. */
function quantile(sorted, share) {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
}
