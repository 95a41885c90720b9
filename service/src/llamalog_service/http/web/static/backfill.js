// Follows a backfill: with each event the page is fetched again and its part replaced.

import { fetchPage, announce } from "./page.js";
import { openStream } from "./stream.js";

const SAFETY_MS = 4000;
const REST_MS = 250;

let fetching = false;
let wanted = false;
let stream = null;

function follow() {
  const run = document.querySelector("#run[data-run]");
  if (run === null) return;
  stream = openStream(run.dataset.run, { progress: refresh, ended: refresh });
  // The stream may fail, or the run not be known yet: the page polls as well.
  const safety = setInterval(() => {
    if (!refreshable()) clearInterval(safety);
    else refresh();
  }, SAFETY_MS);
}

function refreshable() {
  return document.querySelector("#run[data-run]") !== null;
}

async function refresh() {
  wanted = true;
  if (fetching) return;
  fetching = true;
  try {
    while (wanted && refreshable()) {
      wanted = false;
      replace(await fetchPage(location.href));
      await new Promise((done) => setTimeout(done, REST_MS));
    }
  } catch {
    // The server does not answer; the next event or poll tries again.
  } finally {
    fetching = false;
    if (!refreshable() && stream !== null) stream.close();
  }
}

function replace(page) {
  const now = document.querySelector("#run");
  const next = page.querySelector("#run");
  if (next === null) return;
  const status = next.dataset.status;
  if (status !== now.dataset.status) announce(`The backfill is ${status}.`);
  // Leave the open confirmation of a cancellation as it is.
  if (now.querySelector("details[open]") && next.dataset.run !== undefined) {
    for (const part of [".progress", ".heading"]) {
      const [old, fresh] = [now.querySelector(part), next.querySelector(part)];
      if (old !== null && fresh !== null) old.replaceWith(fresh);
    }
    now.dataset.status = status;
    return;
  }
  const focused = now.contains(document.activeElement) ? placeOf(document.activeElement, now) : null;
  now.replaceWith(next);
  document.title = page.title;
  if (focused !== null) (focused(next) ?? document.querySelector("#main")).focus();
}

// A function that finds the focused element in the replaced part.
function placeOf(element, within) {
  const same = (root) => [...root.querySelectorAll("a, button, input, summary")];
  const label = element.textContent;
  const kind = element.tagName;
  const nth = same(within).filter((other) => other.tagName === kind && other.textContent === label).indexOf(element);
  return (root) => same(root).filter((other) => other.tagName === kind && other.textContent === label)[nth];
}

follow();
