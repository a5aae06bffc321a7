// Numbers, amounts and times in the reader's locale; all times of day are UTC.

const numberFormat = new Intl.NumberFormat();
const compactFormat = new Intl.NumberFormat(undefined, { notation: "compact" });
const percentFormat = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 1 });
const growthFormat = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 1, signDisplay: "exceptZero" });
const signedFormat = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1, signDisplay: "exceptZero" });
const ageFormat = new Intl.RelativeTimeFormat(undefined, { numeric: "auto", style: "narrow" });
const dayFormat = utcFormat({ day: "numeric", month: "short", year: "numeric" });
const monthFormat = utcFormat({ month: "short", year: "numeric" });
const shortDayFormat = utcFormat({ day: "numeric", month: "short" });
const hourFormat = utcFormat({ day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const clockFormat = utcFormat({ hour: "2-digit", minute: "2-digit", second: "2-digit" });
const HOUR_MS = 3600e3;
const DAY_MS = 24 * HOUR_MS;
const moneyFormats = new Map();

function utcFormat(parts) {
  return new Intl.DateTimeFormat(undefined, { ...parts, timeZone: "UTC" });
}

/** Return the milliseconds of a date or a UTC timestamp. */
function parseTime(text) {
  return Date.parse(text.length > 10 ? text.replace(" ", "T").replace(/Z?$/, "Z") : text + "T00:00:00Z");
}

/** Return the date that is some days later, or earlier. */
function addDays(day, count) {
  return formatDay(parseTime(day) + count * DAY_MS);
}

/** Return how many days a period has, its first and last included. */
function countDays(from, to) {
  return (parseTime(to) - parseTime(from)) / DAY_MS + 1;
}

/** Return the date of a time in milliseconds, as the facts have it. */
function formatDay(time) {
  return new Date(time).toISOString().slice(0, 10);
}

/** Format a date or a timestamp; text outside JavaScript's calendar stays as it is. */
function formatTime(format, text) {
  const time = parseTime(text);
  return Number.isNaN(time) ? text : format.format(time);
}

/** Format the days from one date to another; dates outside JavaScript's calendar stay as they are. */
function formatDays(from, to) {
  const times = [from, to].map(parseTime);
  return times.some(Number.isNaN) ? `${from} – ${to}` : dayFormat.formatRange(...times);
}

/** Format a time in milliseconds: only the clock if it is today, otherwise with its day. */
function formatTimestamp(time) {
  const isToday = new Date(time).toISOString().slice(0, 10) === new Date().toISOString().slice(0, 10);
  return `${(isToday ? clockFormat : hourFormat).format(time)} UTC`;
}

/** Return the format of a currency; an unknown currency code follows the number. */
function moneyFormat(currency) {
  if (!moneyFormats.has(currency)) moneyFormats.set(currency, createMoneyFormat(currency));
  return moneyFormats.get(currency);
}

function createMoneyFormat(currency) {
  try {
    const format = new Intl.NumberFormat(undefined, { style: "currency", currency });
    return { format, places: format.resolvedOptions().maximumFractionDigits, unit: "" };
  } catch {
    const format = new Intl.NumberFormat(undefined, { minimumFractionDigits: 2 });
    return { format, places: 2, unit: " " + nameOrNone(currency) };
  }
}

/** Format an amount, divided by `parts`, in its currency; null is one that is not known. */
function formatMoney(value, currency, parts = 1) {
  if (value === null) return "not known";
  const { format, places, unit } = moneyFormat(currency);
  return format.format(formatDecimal(value, places, parts)) + unit;
}

/** Format an amount in compact notation, for a chart. */
function formatCompactMoney(value, currency) {
  if (value === null) return "not known";
  const { unit, places } = moneyFormat(currency);
  const style = unit ? {} : { style: "currency", currency };
  const format = new Intl.NumberFormat(undefined, { ...style, notation: "compact" });
  return format.format(Number(formatDecimal(value, places))) + unit;
}

/** Format a quantity, which is exact as amounts are. */
function formatQuantity(value) {
  return new Intl.NumberFormat(undefined, { maximumFractionDigits: 3 }).format(formatDecimal(value, 3));
}

/** Return a name, or a placeholder for an empty one. */
function nameOrNone(text) {
  return text === "" ? "(none)" : text;
}

/** Return a count with its noun, such as "1 order" or "2 orders". */
function countOf(count, singular, plural = `${singular}s`) {
  return `${numberFormat.format(count)} ${count === 1 ? singular : plural}`;
}

/** Format minutes in the most readable unit. */
function formatDuration(minutes) {
  const [amount, unit] = durationParts(minutes);
  const style = { style: "unit", unit, unitDisplay: "narrow", maximumFractionDigits: 1 };
  return new Intl.NumberFormat(undefined, style).format(amount);
}

function durationParts(minutes) {
  if (minutes < 120) return [minutes, "minute"];
  if (minutes < 2880) return [minutes / 60, "hour"];
  return [minutes / 1440, "day"];
}

/** Format how long ago a time was. */
function formatAge(time, now = Date.now()) {
  const seconds = Math.round((time - now) / 1000);
  for (const [unit, size] of [["day", 86400], ["hour", 3600], ["minute", 60]]) {
    if (-seconds >= 2 * size) return ageFormat.format(Math.round(seconds / size), unit);
  }
  return ageFormat.format(Math.min(seconds, 0), "second");
}

/** Join texts for a canvas; isolation marks keep their writing directions apart. */
function joinForCanvas(texts) {
  return [texts].flat().map((text) => `\u2068${plainText(text)}\u2069`).join(" · ");
}

/** Return text for a canvas, without line breaks and direction controls. */
function plainText(text) {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]+/gu, " ");
}

function capitalized(word) {
  return word[0].toUpperCase() + word.slice(1);
}

/** Return the length of an amount's bar: only the picture uses floating point. */
function barLength(amount) {
  return amount === null ? 0 : Number(formatDecimal(amount, 2));
}
