// Elements, made so that text is always text.

/** Return an element with attributes and children; a child that is a text, or several, stays text. */
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  for (const child of children) made.append(...(child instanceof Node ? [child] : listed(child)));
  return made;
}

/** Return a text, or several in a row, of which none turns the others around. */
function listed(texts) {
  return [texts].flat().flatMap((text, at) => (at ? [" · ", isolated(text)] : [isolated(text)]));
}

/** Return text whose direction of writing disturbs nothing around it. */
function isolated(text) {
  const made = document.createElement("bdi");
  made.textContent = text;
  return made;
}

/** Return a table of these heads and rows; all columns but the first are numbers. */
function table(caption, heads, rows) {
  const head = element("tr", {}, ...heads.map((text) => element("th", { scope: "col" }, text)));
  const body = rows.map(([first, ...rest]) =>
    element("tr", {}, element("th", { scope: "row" }, first), ...rest.map((text) => element("td", {}, text))),
  );
  return element(
    "table",
    {},
    element("caption", { class: "unseen" }, caption),
    element("thead", {}, head),
    element("tbody", {}, ...body),
  );
}

/** Fill an element of the page with a text, or with several in a row. */
function tell(id, texts) {
  document.getElementById(id).replaceChildren(...listed(texts));
}

/** Fill a tile with its number, which the style sheet writes as large as there is room for. */
function tellValue(id, text) {
  const longest = Math.max(...text.split(" ").map((word) => word.length));
  document.getElementById(id).style.setProperty("--letters", longest);
  tell(id, text);
}
