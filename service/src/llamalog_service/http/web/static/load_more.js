// "More" links load the next page of a list in place; if that fails, they are followed as links.

import { fetchPage, announce } from "./page.js";

async function load(paragraph, link) {
  const into = paragraph.dataset.more;
  link.setAttribute("aria-busy", "true");
  link.textContent = "Loading…";
  const page = await fetchPage(link.href);
  const list = document.querySelector(into);
  const before = count(list);
  const fresh = [...page.querySelector(into).children];
  list.append(...fresh);
  const further = page.querySelector(`[data-more="${into}"]`);
  if (further) paragraph.replaceWith(further);
  else paragraph.remove();
  announce(`${count(list) - before} more, ${count(list)} in all.`);
  await null; // mutation observers of the list have handled the new rows by then
  focusFirst(fresh[0]);
}

const count = (list) => list.querySelectorAll("[data-key]").length;

function focusFirst(fresh) {
  const first = fresh?.matches("ol") ? (fresh.querySelector("[data-key]") ?? fresh.firstElementChild) : fresh;
  const target = first?.matches("[tabindex]") ? first : first?.querySelector("summary, a");
  target?.focus({ preventScroll: true });
}

document.addEventListener("click", (event) => {
  if (event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  const link = event.target.closest("[data-more] a");
  if (!link) return;
  event.preventDefault();
  if (link.getAttribute("aria-busy")) return;
  load(link.closest("[data-more]"), link).catch(() => location.assign(link.href));
});
