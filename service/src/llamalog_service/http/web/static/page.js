// Shared by the other scripts: fetching a page, and announcements for screen readers.

export async function fetchPage(href) {
  const answer = await fetch(href, { headers: { Accept: "text/html" }, credentials: "same-origin" });
  if (!answer.ok || answer.redirected) throw new Error(`${href}: ${answer.status}`);
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

export function announce(text) {
  document.getElementById("announcement").textContent = text;
}
