// Faults of a page for a person who does not see it, or not well. Returns complaints.
() => {
  const complaints = [];
  const complain = (what, element) => complaints.push(`${what}: ${element.outerHTML.slice(0, 160)}`);
  const all = (selector) => [...document.querySelectorAll(selector)];
  const isShown = (element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true });

  if (!document.documentElement.lang) complaints.push("the page has no language");
  if (!document.title.trim()) complaints.push("the page has no title");
  for (const one of ["main", "h1", "header"]) {
    if (all(one).length !== 1) complaints.push(`the page has ${all(one).length} <${one}>`);
  }

  let level = 0;
  for (const heading of all("h1, h2, h3, h4").filter(isShown)) {
    const next = Number(heading.tagName[1]);
    if (next > level + 1) complain(`a heading follows on h${level}`, heading);
    level = next;
  }

  const ids = new Set();
  for (const element of all("[id]")) {
    if (ids.has(element.id)) complain("an id is there twice", element);
    ids.add(element.id);
  }
  for (const attribute of ["aria-labelledby", "aria-describedby", "aria-controls", "for"]) {
    for (const element of all(`[${attribute}]`)) {
      for (const id of element.getAttribute(attribute).split(/\s+/)) {
        if (!document.getElementById(id)) complain(`${attribute} names no element`, element);
      }
    }
  }

  const named = (element) =>
    element.getAttribute("aria-label") ||
    (element.getAttribute("aria-labelledby") ?? "")
      .split(/\s+/)
      .map((id) => document.getElementById(id)?.textContent ?? "")
      .join("")
      .trim() ||
    [...(element.labels ?? [])].map((label) => label.textContent).join("").trim();
  for (const field of all("input:not([type=hidden]), select, textarea, progress, meter:not([aria-hidden])")) {
    if (!named(field)) complain("a field has no name", field);
  }
  for (const control of all("a[href], button, summary")) {
    if (!named(control) && !control.textContent.trim()) complain("a control has no name", control);
  }
  for (const part of all("nav, section, [role=tree], [role=group], fieldset")) {
    const legend = part.querySelector(":scope > legend");
    if (!named(part) && !legend) complain("a part of the page has no name", part);
  }
  for (const table of all("table")) {
    if (!table.caption?.textContent.trim()) complain("a table has no caption", table);
    for (const cell of table.querySelectorAll("th:not([scope])")) complain("a th has no scope", cell);
  }
  for (const picture of all("svg:not([aria-hidden]), img:not([alt])")) complain("a picture has no text", picture);
  for (const element of all("[tabindex]")) {
    if (element.tabIndex > 0) complain("an element comes before all others", element);
  }
  for (const list of all("ul, ol")) {
    if (list.getAttribute("role") === "tree") continue;
    for (const child of list.children) if (child.tagName !== "LI") complain("a list holds another", child);
  }
  for (const item of all("[role=treeitem]")) {
    if (!item.parentElement.matches("[role=tree], [role=tree] > [role=none], [role=group]")) complain("an item is in no tree", item);
    if (!(Number(item.getAttribute("aria-level")) > 0)) complain("an item has no level", item);
  }
  for (const item of all("[role=tree]")) {
    if (item.querySelectorAll('[role=treeitem][tabindex="0"]').length !== 1) complain("a tree has not one stop", item);
  }
  return complaints;
}
