// The list of rows becomes a tree for the keyboard and for screen readers: one stop for Tab, arrows within.
// Without this script it stays a list of foldable rows with their depth as text.
// The pages of a long tree are separate lists, one after the other; the arrows pass from one to the next.

const INSIDE = "a, summary, pre";

function grow(tree) {
  let current = null;

  tree.setAttribute("role", "tree");
  take([...tree.children]);
  new MutationObserver((records) => take(records.flatMap((record) => [...record.addedNodes]))).observe(tree, {
    childList: true,
    subtree: true,
  });
  tree.addEventListener("focusin", (event) => enter(event.target.closest(".tree > li")));
  tree.addEventListener("keydown", (event) => {
    const item = event.target;
    const move = KEYS[event.key];
    if (!move || !item.matches(".tree > li") || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    move(item, detailsOf(item))?.focus();
  });

  function take(added) {
    for (const node of added) {
      if (node.matches?.("ol.tree")) adopt(node);
      else if (node.matches?.(".tree > li")) become(node);
    }
    if (!current?.isConnected) enter(tree.querySelector(".tree > li"));
  }

  function adopt(piece) {
    if (piece.ariaLabel) tree.ariaLabel = piece.ariaLabel;
    piece.ariaLabel = null;
    piece.setAttribute("role", "none");
    for (const item of piece.children) become(item);
  }

  function become(item) {
    if (item.hasAttribute("role")) return;
    item.setAttribute("role", "treeitem");
    item.setAttribute("aria-level", item.dataset.level);
    item.tabIndex = -1;
    reach(item, -1);
    const details = detailsOf(item);
    if (!details) return;
    item.setAttribute("aria-expanded", String(details.open));
    details.addEventListener("toggle", () => item.setAttribute("aria-expanded", String(details.open)));
  }

  // Of the many links in a tree only those of the current row are stops for Tab.
  function enter(item) {
    if (!item || item === current) return;
    if (current) {
      current.tabIndex = -1;
      reach(current, -1);
    }
    current = item;
    current.tabIndex = 0;
    reach(current, 0);
  }
}

function reach(item, index) {
  for (const inside of item.querySelectorAll(INSIDE)) {
    inside.tabIndex = inside.matches("summary.line") ? -1 : index;
  }
}

const detailsOf = (item) => item.querySelector(":scope > details");
const level = (item) => Number(item.dataset.level);
const below = (item) => item.nextElementSibling ?? item.parentElement.nextElementSibling?.firstElementChild;
const above = (item) =>
  item.previousElementSibling ?? item.parentElement.previousElementSibling?.lastElementChild;

function parent(item) {
  let found = above(item);
  while (found && level(found) >= level(item)) found = above(found);
  return found;
}

function inwards(item, details) {
  if (details && !details.open) return toggle(item, details);
  const next = below(item);
  return next && level(next) > level(item) ? next : item;
}

function outwards(item, details) {
  return details?.open ? toggle(item, details) : parent(item);
}

function toggle(item, details) {
  if (details) details.open = !details.open;
  return item;
}

const KEYS = {
  ArrowDown: below,
  ArrowUp: above,
  Home: (item) => item.closest("[role=tree]").firstElementChild.firstElementChild,
  End: (item) => item.closest("[role=tree]").lastElementChild.lastElementChild,
  ArrowRight: inwards,
  ArrowLeft: outwards,
  Enter: toggle,
  " ": toggle,
};

for (const tree of document.querySelectorAll("[data-tree]")) grow(tree);
