// Time axes: days, weeks or months of the business, without gaps, with the mark of what is not whole.

const MAX_TIME_BARS = 750; // Bars of a time axis, including empty ones.
const DAYS_PER_YEAR = 366; // Labels of a longer time axis include the year.
const GRAIN_HEADERS = { day: "Day", week: "Week from", month: "Month from" };
const GRAINS = {
  day: { start: (day) => day, next: (day) => addDays(day, 1) },
  week: { start: (day) => addDays(day, -daysSinceWeekStart(day)), next: (day) => addDays(day, 7) },
  month: { start: (day) => `${day.slice(0, 7)}-01`, next: (day) => `${addDays(day, 31).slice(0, 7)}-01` },
};

/** Return the date of a time in milliseconds, in the business time zone. */
function businessDay(time) {
  return new Intl.DateTimeFormat("sv", { timeZone: pageData.zone }).format(time);
}

function daysSinceWeekStart(day) {
  return (new Date(parseTime(day)).getUTCDay() + 7 - pageData.week_start) % 7;
}

/** Return the first day of the fiscal year that a day is in. */
function firstDayOfYear(day) {
  const month = String(pageData.fiscal_year_start).padStart(2, "0");
  const year = Number(day.slice(0, 4)) - (day.slice(5, 7) < month ? 1 : 0);
  return `${String(year).padStart(4, "0")}-${month}-01`;
}

/**
 * Return what `sum` makes of the rows of each day, week or month, with its first day, its last, and
 * the mark if it is not whole. The rows are in the order of their days.
 */
function sumByGrain(rows, grain, filters, today, sum) {
  const { start, next } = GRAINS[grain];
  const groups = groupBy(rows.map((row) => ({ ...row, start: isInCalendar(row.day) ? start(row.day) : row.day })), "start");
  const sums = [...groups].map(([day, rows]) => ({ day, ...sum(rows) }));
  const filled = fillGaps(sums, "day", next, (day) => ({ day, ...sum([]) }));
  return filled.map((row) => {
    const end = isInCalendar(row.day) ? addDays(next(row.day), -1) : row.day;
    return { ...row, end, mark: incompleteMark(row.day, end, filters, today) };
  });
}

/** Return whether a date and its week are in the calendar: others stay as they are. */
function isInCalendar(day) {
  return day > "0001" && day < "9999-12" && !Number.isNaN(parseTime(day));
}

/** Return why a week, a month or a day is not whole, or nothing. */
function incompleteMark(start, end, { from, to }, today) {
  if (end >= today && start <= today) return " (so far)";
  return (from !== null && start < from) || (to !== null && to < end) ? " (in part)" : "";
}

/** Return the label of a row in a table, or a shorter one for an axis. */
function grainLabel({ day, end, mark }, grain, isShort = false) {
  if (grain === "week" && !isShort) return formatDays(day, end) + mark;
  if (grain === "month") return formatTime(monthFormat, day) + mark;
  return formatTime(isShort ? shortDayFormat : dayFormat, day) + mark;
}

/** Return the number of days or hours between the first row and the last. */
function countSteps(rows, property, step) {
  return rows.length ? (parseTime(rows.at(-1)[property]) - parseTime(rows[0][property])) / step : 0;
}

/** Add empty rows for the times without data, from one to the `next`, unless there would be too many. */
function fillGaps(rows, property, next, createRow) {
  const rowByTime = new Map(rows.map((row) => [parseTime(row[property]), row]));
  const last = rows.length ? parseTime(rows.at(-1)[property]) : NaN;
  const filled = [];
  for (let text = rows[0]?.[property]; parseTime(text ?? "") <= last; text = next(text)) {
    if (filled.length === MAX_TIME_BARS) return rows;
    filled.push(rowByTime.get(parseTime(text)) ?? createRow(text));
  }
  return filled.length ? filled : rows;
}
