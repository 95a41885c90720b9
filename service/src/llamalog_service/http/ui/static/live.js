// Live updates: the stream says that something was recorded, the page's own list is fetched anew and merged.
// Open details, the focus and rows that were loaded further down stay as they are.

import { fetchPage, say } from "./page.js";

const AT_MOST_EVERY = 2000; // milliseconds
const ANYHOW_EVERY = 60000; // ages grow without events

function follow(sign) {
  const target = sign.dataset.replaces;
  let due = 0;
  let timer = null;
  let waiting = false;

  const plan = (delay) => {
    if (document.hidden) {
      waiting = true;
      return;
    }
    timer ??= setTimeout(refresh, Math.max(delay, due - Date.now()));
  };

  async function refresh() {
    try {
      const page = await fetchPage(location.href);
      const fresh = page.querySelector(target);
      const added = fresh ? merge(document.querySelector(target), fresh) : 0;
      if (added) say(`${added} new ${sign.dataset.speaks}.`);
    } catch {
      // the next try is planned below; the stream itself shows whether the service answers
    }
    due = Date.now() + AT_MOST_EVERY;
    timer = null;
  }

  const stream = new EventSource(sign.dataset.live);
  const state = (name, text) => {
    sign.dataset.state = name;
    sign.textContent = text;
  };
  sign.hidden = false;
  state("off", "connecting");
  stream.addEventListener("open", () => state("on", "live"));
  stream.addEventListener("error", () => state("off", "not live, trying again"));
  for (const kind of ["message", "row", "recorded", "corrected"]) {
    stream.addEventListener(kind, () => plan(300));
  }
  setInterval(() => plan(0), ANYHOW_EVERY);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && waiting) {
      waiting = false;
      plan(0);
    }
  });
}

// Returns how many rows are new.
function merge(shown, fresh) {
  const old = rows(shown);
  const young = rows(fresh);
  if (!old || !young) {
    shown.replaceWith(fresh);
    return young ? young.childElementCount : 0;
  }
  const known = new Map([...old.children].filter((row) => row.dataset.key).map((row) => [row.dataset.key, row]));
  for (const row of [...old.children]) if (!row.dataset.key) row.remove();
  const overlaps = [...young.children].some((row) => known.has(row.dataset.key));
  if (known.size && !overlaps) old.replaceChildren(); // more came than one page holds: begin anew
  let place = old.firstElementChild;
  let added = 0;
  for (const row of [...young.children]) {
    const before = known.get(row.dataset.key);
    if (before && before.isConnected && before.textContent === row.textContent) {
      if (before === place) place = place.nextElementSibling;
      else old.insertBefore(before, place);
      continue;
    }
    if (before === place && before) place = place.nextElementSibling;
    old.insertBefore(row, place);
    if (before?.isConnected) replace(before, row);
    else if (row.dataset.key) {
      row.classList.add("arrived");
      added += 1;
    }
  }
  return added;
}

const rows = (list) => (list.matches("table") ? list.tBodies[0] : list.matches("ol") ? list : null);

function replace(before, row) {
  const had = before.contains(document.activeElement);
  const open = before.querySelector("details")?.open;
  before.remove();
  if (open) row.querySelector("details").open = true;
  if (had) (row.matches("[tabindex]") ? row : row.querySelector("a, summary"))?.focus();
}

for (const sign of document.querySelectorAll("[data-live]")) follow(sign);
