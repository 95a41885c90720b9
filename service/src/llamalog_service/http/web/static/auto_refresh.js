// Refreshes parts of a visible page every few seconds.

import { fetchPage } from "./page.js";

for (const part of document.querySelectorAll("[data-refresh-seconds]")) {
  setInterval(() => refresh(`#${part.id}`), part.dataset.refreshSeconds * 1000);
}

async function refresh(selector) {
  const now = document.querySelector(selector);
  if (document.hidden || now.contains(document.activeElement)) return;
  try {
    const next = (await fetchPage(location.href)).querySelector(selector);
    if (next !== null) now.replaceWith(next);
  } catch {
    // The server does not answer; the part shows its time.
  }
}
