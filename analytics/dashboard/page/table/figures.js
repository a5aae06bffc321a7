// The figures of any table: pure functions of the facts and the filters.

const TYPE_NAMES = {
  S: "text",
  N: "number",
  B: "binary",
  BOOL: "true or false",
  NULL: "null",
  L: "list",
  M: "map",
  SS: "set of texts",
  NS: "set of numbers",
  BS: "set of binaries",
};
const COMPARED_TYPES = ["S", "N", "BOOL"]; // The fact counts different values of these.

/** Return the figures of every tile under these filters. */
function computeTableFigures(rows, filters, { today, firstDay }) {
  const changes = filterChanges(rows.changes, filters);
  const grain = filters.grain ?? "day";
  const attributes = summarizeAttributes(rows.attributes);
  const listed = attributes.filter(({ values }) => values.length);
  return {
    ...rows.items[0],
    counts: countByOperation(changes),
    comparison: comparePeriods(filters, firstDay, (period) => sumOperations(filterChanges(rows.changes, period))),
    changesByGrain: sumByGrain(changes, grain, filters, today, (rows) => ({ counts: countByOperation(rows) })),
    grain,
    attributes,
    attributeCount: rows.attributes[0]?.attributes ?? 0,
    attribute: filters.attribute ?? listed[0]?.attribute ?? null,
    pipeline: pipelineFigures(rows.changes, filters, today),
  };
}

/** Return the counts of the tiles of numbers. */
function sumOperations(changes) {
  const { INSERT: inserted = 0, MODIFY: modified = 0, REMOVE: removed = 0 } = countByOperation(changes);
  return { written: sumOf(changes, "changes"), inserted, modified, removed };
}

/** Return each attribute with its types, the number of items that have it, and its listed values. */
function summarizeAttributes(rows) {
  return [...groupBy(rows, "attribute")]
    .map(([attribute, rows]) => {
      const types = [...groupBy(rows, "type").values()].map(([row]) => row);
      const isCompared = types.every(({ type }) => COMPARED_TYPES.includes(type));
      return {
        attribute,
        types,
        items: sumOf(types, "items"),
        distinctValues: isCompared ? sumOf(types, "distinct_values") : null,
        values: rows.filter(({ value }) => value !== null).sort((a, b) => b.value_items - a.value_items),
      };
    })
    .sort((a, b) => b.items - a.items || compare(a.attribute, b.attribute));
}
