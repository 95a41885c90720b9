// Live updates: on each event of the stream the page's own list is fetched again and merged.
// Open details, the focus and rows that were loaded further down stay as they are.

import { fetchPage, announce } from "./page.js";
import { openStream } from "./stream.js";

const MIN_INTERVAL = 2000; // milliseconds
const MAX_INTERVAL = 60000; // ages grow without events
const REPLACED = Infinity;

function follow(sign) {
  const target = sign.dataset.replaces;
  let streams = [];
  let due = 0;
  let timer = null;
  let fetching = false;
  let again = false;

  const plan = (delay) => {
    if (document.hidden) return;
    // What comes while the list is fetched may not be in it.
    if (fetching) again = true;
    else timer ??= setTimeout(refresh, Math.max(delay, due - Date.now()));
  };

  async function refresh() {
    timer = null;
    fetching = true;
    again = false;
    try {
      const page = await fetchPage(location.href);
      const fresh = page.querySelector(target);
      const added = fresh ? merge(document.querySelector(target), fresh) : 0;
      if (added === REPLACED) renew(`[data-more="${target}"]`, page);
      if (sign.dataset.also) renew(sign.dataset.also, page);
      if (added) announce(`${added === REPLACED ? "Many" : added} new ${sign.dataset.label}.`);
    } catch {
      // the sign shows whether the service answers; the next event, or the next minute, tries again
    }
    due = Date.now() + MIN_INTERVAL;
    fetching = false;
    if (again) plan(0);
  }

  const show = (state, text) => {
    sign.dataset.state = state;
    sign.textContent = text;
    sign.hidden = false;
  };

  function open() {
    show("off", "connecting");
    streams = sign.dataset.live.split(" ").map((address) => {
      let broken = false;
      return openStream(address, {
        live: () => {
          show("on", "live");
          if (broken) plan(0); // what came meanwhile was missed
          broken = false;
        },
        waiting: () => show("off", "not live: Kafka does not answer"),
        failed: () => show("off", "not live: an error ended it, it is restarted"),
        error: () => {
          broken = true;
          show("off", "not live, retrying");
        },
        row: () => plan(300),
        gap: () => plan(0),
      });
    });
  }

  // A browser has few connections to one server: hidden pages hold none.
  document.addEventListener("visibilitychange", () => {
    for (const stream of streams) stream.close();
    streams = [];
    if (document.hidden) return;
    open();
    plan(0);
  });
  setInterval(() => plan(0), MAX_INTERVAL);
  open();
}

function renew(selector, page) {
  const [old, fresh] = [document.querySelector(selector), page.querySelector(selector)];
  if (old && fresh && !old.isEqualNode(fresh)) old.replaceWith(fresh);
}

// Returns the number of new rows; REPLACED, if there are more than a page holds, so that the list was replaced.
function merge(shown, fresh) {
  const old = rows(shown);
  const young = rows(fresh);
  if (!old || !young) {
    shown.replaceWith(fresh);
    return young ? young.childElementCount : 0;
  }
  const known = new Map([...old.children].filter((row) => row.dataset.key).map((row) => [row.dataset.key, row]));
  const overlaps = [...young.children].some((row) => known.has(row.dataset.key));
  if (!overlaps) {
    shown.replaceChildren(...fresh.children);
    return REPLACED;
  }
  for (const row of [...old.children]) if (!row.dataset.key) row.remove();
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

// The newest page: rows further down are older, and stay.
const rows = (list) => (list.matches("table") ? list.tBodies[0] : list.querySelector(":scope > ol.tree"));

function replace(before, row) {
  const had = before.contains(document.activeElement);
  const open = before.querySelector("details")?.open;
  before.remove();
  if (open) row.querySelector("details").open = true;
  if (had) (row.matches("[tabindex]") ? row : row.querySelector("a, summary"))?.focus();
}

for (const sign of document.querySelectorAll("[data-live]")) follow(sign);
