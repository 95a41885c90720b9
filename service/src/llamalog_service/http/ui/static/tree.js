// The list of rows becomes a tree for the keyboard and for screen readers: one stop for Tab, arrows within.
// Without this script it stays what it is: a list of foldable rows that say their depth.

const INSIDE = "a, summary, pre";

function enhance(tree, items) {
  tree.setAttribute("role", "tree");
  for (const item of items) {
    if (!item.matches?.("li") || item.hasAttribute("role")) continue;
    item.setAttribute("role", "treeitem");
    item.setAttribute("aria-level", item.dataset.level);
    leave(item);
    const details = item.querySelector(":scope > details");
    if (!details) continue;
    item.setAttribute("aria-expanded", String(details.open));
    details.addEventListener("toggle", () => item.setAttribute("aria-expanded", String(details.open)));
  }
  if (!current(tree) && tree.firstElementChild) enter(tree.firstElementChild);
}

const current = (tree) => tree.querySelector(':scope > [tabindex="0"]');

// Of the many links in a tree only those of the current row are stops for Tab.
function leave(item) {
  item.tabIndex = -1;
  for (const inside of item.querySelectorAll(INSIDE)) inside.tabIndex = -1;
}

function enter(item) {
  item.tabIndex = 0;
  for (const inside of item.querySelectorAll(INSIDE)) {
    inside.tabIndex = inside.matches("summary.line") ? -1 : 0;
  }
}

function go(item) {
  if (!item) return;
  const before = current(item.parentElement);
  if (before && before !== item) leave(before);
  enter(item);
}

const level = (item) => Number(item.dataset.level);

function parent(item) {
  let above = item.previousElementSibling;
  while (above && level(above) >= level(item)) above = above.previousElementSibling;
  return above;
}

function next(item, details) {
  if (details && !details.open) {
    details.open = true;
    return item;
  }
  const below = item.nextElementSibling;
  return below && level(below) > level(item) ? below : item;
}

function previous(item, details) {
  if (details?.open) {
    details.open = false;
    return item;
  }
  return parent(item);
}

const KEYS = {
  ArrowDown: (item) => item.nextElementSibling,
  ArrowUp: (item) => item.previousElementSibling,
  Home: (item) => item.parentElement.firstElementChild,
  End: (item) => item.parentElement.lastElementChild,
  ArrowRight: next,
  ArrowLeft: previous,
  Enter: toggle,
  " ": toggle,
};

function toggle(item, details) {
  if (details) details.open = !details.open;
  return item;
}

for (const tree of document.querySelectorAll("[data-tree]")) {
  enhance(tree, tree.children);
  new MutationObserver((records) => {
    enhance(tree, records.flatMap((record) => [...record.addedNodes]));
  }).observe(tree, { childList: true });
  tree.addEventListener("focusin", (event) => go(event.target.closest(".tree > li")));
  tree.addEventListener("keydown", (event) => {
    const item = event.target;
    const move = KEYS[event.key];
    if (!move || item.parentElement !== tree || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    move(item, item.querySelector(":scope > details"))?.focus();
  });
}
