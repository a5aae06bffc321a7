// Downloads of a chart as PNG and of its table as CSV, without network.

const MUST_QUOTE = /[",\r\n]/;
const STARTS_FORMULA = /^[=+\-@\t\r]/; // A spreadsheet would run such a cell.
const BYTE_ORDER_MARK = "\ufeff"; // Spreadsheets read a file without it in their own encoding.

/** Return the CSV (RFC 4180) of rows of cells: numbers, exact amounts (BigInt, null if not known) and texts. */
function formatCsv(lines) {
  return lines.map((cells) => cells.map(formatCell).join(",") + "\r\n").join("");
}

function formatCell(cell) {
  if (cell === null) return "";
  if (typeof cell === "bigint") return formatDecimal(cell, DECIMAL_PLACES).replace(/\.?0+$/, "");
  if (typeof cell === "number") return String(cell);
  const text = STARTS_FORMULA.test(cell) ? `'${cell}` : cell;
  return MUST_QUOTE.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Return the name of a file, which says what it shows and of which days. */
function fileName(title, { from, to }, extension) {
  const days = from && to ? `${from}_to_${to}` : (from && `from_${from}`) || (to && `until_${to}`) || "all-days";
  return `${title.toLowerCase().replaceAll(" ", "-")}_${days}.${extension}`;
}

/** Save a file to the reader's disk. */
function saveFile(name, blob) {
  const address = URL.createObjectURL(blob);
  createElement("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60e3); // The browser may still be reading it.
  setText("announcement", `${name} saved`);
}

function saveCsv(title, lines) {
  const blob = new Blob([BYTE_ORDER_MARK, formatCsv(lines)], { type: "text/csv;charset=utf-8" });
  saveFile(fileName(title, filters, "csv"), blob);
}

function savePng(title, container) {
  const background = resolveColour("tile");
  const address = charts.get(container).chart.getDataURL({ pixelRatio: 2, backgroundColor: background });
  const bytes = Uint8Array.from(atob(address.split(",")[1]), (character) => character.charCodeAt(0));
  saveFile(fileName(title, filters, "png"), new Blob([bytes], { type: "image/png" }));
}

/** Create a button that saves something in a format. */
function exportButton(format, save) {
  const button = createElement("button", { type: "button", "data-format": format }, format);
  button.addEventListener("click", save);
  return button;
}

/** Name what the export buttons of a section save. */
function nameExports(section, title) {
  for (const button of section.querySelectorAll("[data-format]")) {
    button.setAttribute("aria-label", `Save ${title} as ${button.dataset.format}`);
  }
}

/** Return the header of a column in CSV, whose numbers have no unit of their own. */
function inUnit(name, unit) {
  return unit === "" ? name : `${name} (${unit})`;
}

/** Return a share as a percentage with one decimal place, rounded once. */
function percentOf(count, total) {
  return formatDecimal(BigInt(count) * 100n * ONE, 1, total);
}
