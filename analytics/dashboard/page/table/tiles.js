// The tiles of any table: their numbers, notes, bars and tables, made from the figures.

/** Show the tiles of numbers. */
function showTableNumbers({ in_table, removed, counts, comparison }) {
  const sums = { written: sumCounts(counts), inserted: counts.INSERT, modified: counts.MODIFY, removed: counts.REMOVE };
  for (const [id, count] of Object.entries(sums)) setValue(id, numberFormat.format(count ?? 0));
  setValue("items", numberFormat.format(in_table));
  setText("items-note", `in the table now; ${numberFormat.format(removed)} removed`);
  setText("items-proof", pageData.verify === null ? "not verified yet" : formatVerification(pageData.verify));
  const copies = counts.SNAPSHOT ?? 0;
  setText("written-note", copies ? `${numberFormat.format(copies)} of them read by backfill or repair` : "of any kind");
  showComparison(comparison, Object.fromEntries(Object.keys(sums).map((name) => [name, countChange(name)])));
}

function changesByDayTile({ changesByGrain: rows, grain }) {
  const operations = presentOperations(rows);
  const labels = rows.map((row) => grainLabel(row, grain));
  const counts = operations.map((name) => rows.map((row) => row.counts[name] ?? 0));
  const texts = counts.map((column) => column.map((count) => numberFormat.format(count)));
  const total = sumCounts(counts.flat());
  return {
    title: `Changes by ${grain}`,
    summary: rows.length && `${countOf(total, "change")} in ${countOf(rows.length, grain)}`,
    csv: () => [
      [GRAIN_HEADERS[grain], "Whole", ...operations],
      ...rows.map((row, index) => [row.day, row.mark === "" ? "yes" : "no", ...counts.map((column) => column[index])]),
    ],
    headers: [capitalized(grain), ...operations],
    rows: labels.map((label, row) => [label, ...texts.map((column) => column[row])]),
    labels: rows.map((row) => grainLabel(row, grain, countSteps(rows, "day", DAY_MS) <= DAYS_PER_YEAR)),
    series: operationSeries(operations, counts, texts),
    isStacked: true,
    isInteger: true,
    formatAxis: (value) => compactFormat.format(value),
  };
}

function attributesTile({ attributes: rows, attributeCount, in_table }) {
  const shares = rows.map(({ items }) => percentFormat.format(items / in_table));
  const typeTexts = rows.map(({ types }) => types.map((row) => describeType(row, types.length > 1)));
  const labels = rows.map(({ attribute }) => nameOrNone(attribute));
  const counts = [rows.length, attributeCount].map((count) => numberFormat.format(count));
  return {
    title: rows.length < attributeCount ? `Attributes: first ${counts[0]} of ${counts[1]}` : "Attributes",
    rule: "share of the items in the table that have each attribute, its types, and how many different values it has",
    summary: rows.length && `${countOf(attributeCount, "attribute")}; ${labels[0]} in ${shares[0]} of items`,
    csv: () => [
      ["Attribute", "Items", inUnit("Share of items", "%"), "Types", "Different values"],
      ...rows.map((row, index) => [
        row.attribute,
        row.items,
        percentOf(row.items, in_table),
        typeTexts[index].join(", "),
        row.distinctValues ?? "",
      ]),
    ],
    headers: ["Attribute", "Items", "Share of items", "Types", "Different values"],
    rows: rows.map(({ items, distinctValues }, index) => [
      labels[index],
      numberFormat.format(items),
      shares[index],
      typeTexts[index],
      distinctValues === null ? "not compared" : numberFormat.format(distinctValues),
    ]),
    labels,
    series: [{ name: "", colour: "accent", values: rows.map(({ items }) => items), texts: rows.map((_, index) => [shares[index], ...typeTexts[index]]) }],
    isHorizontal: true,
    rowHeight: 26,
    picks: rows.map(({ attribute, values }) => values.length ? () => setFilter("attribute", attribute) : null),
  };
}

/** Return the name of a type, with its number of items where an attribute has several types. */
function describeType({ type, items }, isOneOfMany) {
  const name = TYPE_NAMES[type] ?? type;
  return isOneOfMany ? `${name} ${numberFormat.format(items)}` : name;
}

function valuesTile({ attributes, attribute }) {
  const chosen = attributes.find((row) => row.attribute === attribute) ?? { items: 0, types: [], values: [] };
  const { values: rows, items, types } = chosen;
  const shares = rows.map((row) => percentFormat.format(row.value_items / items));
  const counts = rows.map((row) => numberFormat.format(row.value_items));
  const labels = rows.map(({ value, type }) => (types.length > 1 ? `${value} (${TYPE_NAMES[type] ?? type})` : nameOrNone(value)));
  return {
    title: attribute === null ? "Values" : `Values of ${attribute}`,
    rule: describeValues(chosen),
    summary: rows.length && `highest ${labels[0]}: ${counts[0]}, ${shares[0]}`,
    csv: () => [
      ["Value", "Type", "Items", inUnit("Share", "%")],
      ...rows.map((row) => [row.value, TYPE_NAMES[row.type] ?? row.type, row.value_items, percentOf(row.value_items, items)]),
    ],
    headers: ["Value", "Items", "Share"],
    rows: labels.map((label, index) => [label, counts[index], shares[index]]),
    labels,
    series: [{ name: "", colour: "accent", values: rows.map((row) => row.value_items), texts: counts.map((count, index) => [count, shares[index]]) }],
    isHorizontal: true,
    rowHeight: 28,
  };
}

/** Say how many values an attribute has, or why none are listed. */
function describeValues({ values, distinctValues, items }) {
  const rule = pageData.with_details
    ? "listed of attributes with at most 50 different values"
    : "only of true or false: texts and numbers may name people, and --with-details lists them";
  if (!values.length) return rule;
  const others = items - sumOf(values, "value_items");
  return others ? `the most frequent of ${countOf(distinctValues, "different value")}; ${countOf(others, "item")} with others; ${rule}` : rule;
}
