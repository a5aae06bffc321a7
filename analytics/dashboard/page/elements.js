// DOM elements whose text is never parsed as HTML.

/** Create an element; a child that is a text, or an array of texts, becomes text nodes. */
function createElement(name, attributes = {}, ...children) {
  const created = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) created.setAttribute(key, value);
  for (const child of children) created.append(...(child instanceof Node ? [child] : joinTexts(child)));
  return created;
}

/** Return the nodes of one text or several, each isolated from the others' writing direction. */
function joinTexts(texts) {
  return [texts].flat().flatMap((text, index) => (index ? [" · ", isolate(text)] : [isolate(text)]));
}

function isolate(text) {
  const created = document.createElement("bdi");
  created.textContent = text;
  return created;
}

/**
 * Create a table whose first column holds names and whose other columns hold numbers. A name whose
 * row has a function in `picks` is a button that calls it.
 */
function createTable(caption, headers, rows, picks = []) {
  const head = createElement("tr", {}, ...headers.map((text) => createElement("th", { scope: "col" }, text)));
  const body = rows.map(([first, ...rest], index) => {
    const cells = rest.map((text) => createElement("td", {}, text));
    const name = picks[index] ? pickButton(first, picks[index]) : first;
    return createElement("tr", {}, createElement("th", { scope: "row" }, name), ...cells);
  });
  return createElement(
    "table",
    {},
    createElement("caption", { class: "visually-hidden" }, caption),
    createElement("thead", {}, head),
    createElement("tbody", {}, ...body),
  );
}

function pickButton(text, pick) {
  const button = createElement("button", { type: "button", class: "pick" }, text);
  button.addEventListener("click", pick);
  return button;
}

/** Set the content of an element to one text or several. */
function setText(id, texts) {
  document.getElementById(id).replaceChildren(...joinTexts(texts));
}

/** Set the number of a tile; the style sheet sizes it by its longest word. */
function setValue(id, text) {
  const longest = Math.max(...text.split(" ").map((word) => word.length));
  document.getElementById(id).style.setProperty("--letters", longest);
  setText(id, text);
}
