// Numbers, amounts and times as the reader's locale writes them; every time is UTC.

const counted = new Intl.NumberFormat();
const shortened = new Intl.NumberFormat(undefined, { notation: "compact" });
const shares = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 1 });
const ages = new Intl.RelativeTimeFormat(undefined, { numeric: "auto", style: "narrow" });
const days = moments({ day: "numeric", month: "short", year: "numeric" });
const shortDays = moments({ day: "numeric", month: "short" });
const hours = moments({ day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const clock = moments({ hour: "2-digit", minute: "2-digit", second: "2-digit" });
const moneys = new Map();

function moments(parts) {
  return new Intl.DateTimeFormat(undefined, { ...parts, timeZone: "UTC" });
}

/** Return the time of a day or of a moment in UTC. */
function timeOf(text) {
  return Date.parse(text.length > 10 ? text.replace(" ", "T").replace(/Z?$/, "Z") : text + "T00:00:00Z");
}

/** Return a day or a moment as a format writes it, or as it stands when it is beyond the calendar. */
function written(format, text) {
  const time = timeOf(text);
  return Number.isNaN(time) ? text : format.format(time);
}

/** Return how a currency is written; text that is no currency stands behind the number. */
function moneyFormat(currency) {
  if (!moneys.has(currency)) moneys.set(currency, newMoneyFormat(currency));
  return moneys.get(currency);
}

function newMoneyFormat(currency) {
  try {
    const format = new Intl.NumberFormat(undefined, { style: "currency", currency });
    return { format, places: format.resolvedOptions().maximumFractionDigits, unit: "" };
  } catch {
    const format = new Intl.NumberFormat(undefined, { minimumFractionDigits: 2 });
    return { format, places: 2, unit: " " + named(currency) };
  }
}

/** Return an amount, or a part of so many equal ones, as its currency is written. */
function money(value, currency, parts = 1) {
  const { format, places, unit } = moneyFormat(currency);
  return format.format(decimalText(value, places, parts)) + unit;
}

/** Return about how much an amount is, for a picture. */
function briefly(value, currency) {
  const { unit, places } = moneyFormat(currency);
  const style = unit ? {} : { style: "currency", currency };
  const format = new Intl.NumberFormat(undefined, { ...style, notation: "compact" });
  return format.format(Number(decimalText(value, places))) + unit;
}

/** Return a number of pieces. */
function pieces(value) {
  return new Intl.NumberFormat(undefined, { maximumFractionDigits: 3 }).format(decimalText(value, 3));
}

/** Return a name, or what stands where there is none. */
function named(text) {
  return text === "" ? "(none)" : text;
}

/** Return how many of something there are, in words. */
function many(count, one, several = `${one}s`) {
  return `${counted.format(count)} ${count === 1 ? one : several}`;
}

/** Return minutes in the unit that suits them. */
function duration(minutes) {
  const [amount, unit] =
    minutes < 120 ? [minutes, "minute"] : minutes < 2880 ? [minutes / 60, "hour"] : [minutes / 1440, "day"];
  const style = { style: "unit", unit, unitDisplay: "narrow", maximumFractionDigits: 1 };
  return new Intl.NumberFormat(undefined, style).format(amount);
}

/** Return how long ago a time was. */
function ago(time, now = Date.now()) {
  const seconds = Math.round((time - now) / 1000);
  for (const [unit, size] of [["day", 86400], ["hour", 3600], ["minute", 60]]) {
    if (-seconds >= 2 * size) return ages.format(Math.round(seconds / size), unit);
  }
  return ages.format(Math.min(seconds, 0), "second");
}

/** Return texts for a canvas in one line, where none turns the others around. */
function listedText(texts) {
  return [texts].flat().map((text) => `\u2068${plain(text)}\u2069`).join(" · ");
}

/** Return text for a canvas: on one line, and nothing in it turns the letters around. */
function plain(text) {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]+/gu, " ");
}
