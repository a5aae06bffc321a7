// Elements, made so that text is always text.

/** Return an element with attributes and children; a child that is text stays text. */
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  for (const child of children) made.append(typeof child === "string" ? isolated(child) : child);
  return made;
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

/** Fill an element of the page with text. */
function tell(id, text) {
  document.getElementById(id).replaceChildren(isolated(text));
}
