// The tab of the pipeline: freshness, proof and changes per hour.

const OPERATION_COLOURS = { INSERT: "good", MODIFY: "accent", REMOVE: "bad", SNAPSHOT: "warn" };
const VERIFY_SIGNS = { equal: "=", differs: "≠", unsettled: "?" };
const VERIFY_NOTES = { equal: "verified", differs: "mismatch found", unsettled: "inconclusive" };

function filterChanges(changes, filters) {
  return changes.filter(({ day }) => isWithinDays(day, filters));
}

/** Return the figures of the tab, which is about the whole table: only dates filter its changes. */
function pipelineFigures(allChanges, filters, today) {
  const changes = filterChanges(allChanges, filters);
  return {
    changesToday: sumOf(changes.filter(({ day }) => day === today), "changes"),
    changesPerHour: countByTime(changes, "hour"),
    changesPerDay: countByTime(changes, "day"),
    lastChange: timeOfLastChange(allChanges),
  };
}

/** Show the tab's tiles of numbers. */
function showPipeline({ pipeline }) {
  setValue("changes", numberFormat.format(pipeline.changesToday));
  showFreshness(pipeline);
  showVerification();
  showCost();
}

/** Show what the pipeline has cost, as an estimate with its base. */
function showCost() {
  const { cost } = pageData;
  if (cost === null) {
    setValue("cost", "not known");
    setText("cost-note", "no change of recent days to measure");
    return;
  }
  const [atRest, moving] = [cost.at_rest, cost.moving].map(parseAmount);
  const days = countDays(cost.since, pageData.made_at.slice(0, 10));
  setValue("cost", `about ${formatMoney(atRest + moving, "USD")}`);
  setText("cost-note", [
    `${formatMoney(atRest, "USD")} at rest, in ${countOf(days, "day")} since the first change`,
    `${formatMoney(moving, "USD")} for ${countOf(cost.changes, "change")} of about ${numberFormat.format(cost.record_bytes)} bytes`,
    "list prices of us-east-1",
  ]);
}

/** Show the age of the last change, which grows while the page is open. */
function showFreshness({ lastChange }) {
  setValue("freshness", lastChange === null ? "–" : formatAge(lastChange));
  setText("freshness-note", lastChange === null ? "no changes" : `last change ${formatTimestamp(lastChange)}`);
}

/** Return when a verify result was made, or through when its parts are verified, and how many. */
function formatVerification(verify) {
  const time = verify.verified_at && formatTimestamp(parseTime(verify.verified_at));
  if (!verify.parts) return `${VERIFY_NOTES[verify.state]} ${time}`;
  const found = verify.state === "equal" ? "" : `${VERIFY_NOTES[verify.state]}, `;
  return time ? `${found}verified through ${time}, ${verify.parts}` : `${found}${verify.parts}`;
}

/** Show the last verify result, which covers the table or its parts whatever the filters. */
function showVerification() {
  const { verify } = pageData;
  document.getElementById("verification").dataset.state = verify === null ? "unknown" : verify.state;
  if (verify === null) {
    setValue("verification-value", "not verified yet");
    setText("verification-note", "run operations.verify");
  } else {
    const counts = [verify.lake_items, verify.table_items].map((count) => numberFormat.format(count));
    setValue("verification-value", counts.join(` ${VERIFY_SIGNS[verify.state]} `));
    setText("verification-note", formatVerification(verify));
  }
}

function perHourTile({ pipeline: { changesPerHour, changesPerDay } }) {
  const isLong = countSteps(changesPerHour, "time", HOUR_MS) >= MAX_TIME_BARS;
  const [unit, step, countsByTime, format] = isLong
    ? ["day", DAY_MS, changesPerDay, dayFormat]
    : ["hour", HOUR_MS, changesPerHour, hourFormat];
  const next = (time) => new Date(parseTime(time) + step).toISOString().slice(0, isLong ? 10 : 19);
  const rows = fillGaps(countsByTime, "time", next, (time) => ({ time, counts: {} }));
  const operations = presentOperations(rows);
  const counts = operations.map((name) => rows.map((row) => row.counts[name] ?? 0));
  const texts = counts.map((column) => column.map((count) => numberFormat.format(count)));
  const labels = rows.map(({ time }) => formatTime(format, time));
  const total = sumCounts(counts.flat());
  return {
    title: `Changes per ${unit}`,
    rule: `changes to the table, by ${isLong ? pageData.zone : "UTC"} ${unit}`,
    summary: rows.length && `${countOf(total, "change")} in ${countOf(rows.length, unit)}`,
    csv: () => [
      [isLong ? "Day" : "Hour (UTC)", ...operations],
      ...rows.map(({ time }, row) => [time.slice(0, 19), ...counts.map((column) => column[row])]),
    ],
    headers: [isLong ? "Day" : "Hour (UTC)", ...operations],
    rows: labels.map((label, row) => [label, ...texts.map((column) => column[row])]),
    labels,
    series: operationSeries(operations, counts, texts),
    isStacked: true,
    isInteger: true,
    formatAxis: (value) => compactFormat.format(value),
  };
}

/** Return a series of bars for each operation. */
function operationSeries(operations, counts, texts) {
  return operations.map((name, index) => ({
    name,
    colour: OPERATION_COLOURS[name] ?? "soft",
    values: counts[index],
    texts: texts[index],
  }));
}

/** Sum counts, whatever they are counts of. */
function sumCounts(counts) {
  return Object.values(counts).reduce((a, b) => a + b, 0);
}

/** Return the operations that occur, the known ones first. */
function presentOperations(rows) {
  const names = new Set([...Object.keys(OPERATION_COLOURS), ...rows.flatMap(({ counts }) => Object.keys(counts))]);
  return [...names].filter((name) => rows.some(({ counts }) => counts[name]));
}

function countByTime(changes, unit) {
  return [...groupBy(changes, unit)]
    .map(([time, rows]) => ({ time, counts: countByOperation(rows) }))
    .sort((a, b) => compare(a.time, b.time));
}

function countByOperation(changes) {
  const groups = [...groupBy(changes, "operation")];
  return Object.fromEntries(groups.map(([operation, rows]) => [operation, sumOf(rows, "changes")]));
}

function timeOfLastChange(changes) {
  const times = changes.map((row) => parseTime(row.hour) + 1000 * row.last_second);
  return times.length ? times.reduce((a, b) => Math.max(a, b)) : null;
}
