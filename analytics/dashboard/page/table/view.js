// The page of any table: what it shows of the changes, the items and their attributes.

/** Explain an empty page; null if it is not empty. */
function describeEmptyTable({ in_table, pipeline }) {
  if (in_table || pipeline.changesPerHour.length) return null;
  return "The lake holds no items yet. Run python -m operations.backfill, wait a minute and regenerate this page.";
}

const view = {
  lists: ["attribute"],
  decodeFacts: (facts) => ({
    changes: decodeRows(facts.changes),
    items: decodeRows(facts.items),
    attributes: decodeRows(facts.attributes),
  }),
  dataDays: ({ changes }, today) => daysUntil(changes, today),
  listChoices: ({ attributes }) => ({
    attribute: [...new Set(attributes.filter(({ value }) => value !== null).map(({ attribute }) => attribute))],
  }),
  computeFigures: computeTableFigures,
  build() {},
  showFigures(figures) {
    showTableNumbers(figures);
    setText("verification-selection", "of the whole table, whatever the dates");
    document.getElementById("attribute").closest("label").hidden = !choices.attribute.length;
  },
  tiles: {
    "by-day": changesByDayTile,
    values: valuesTile,
    attributes: (figures) => limitBars(attributesTile(figures)),
  },
  notice: describeEmptyTable,
  announcement: ({ counts }) => countOf(sumCounts(counts), "change"),
};
