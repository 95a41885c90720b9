// What the other scripts share: the same page fetched again, and a word to those who hear the page.

export async function fetchPage(href) {
  const answer = await fetch(href, { headers: { Accept: "text/html" }, credentials: "same-origin" });
  if (!answer.ok || answer.redirected) throw new Error(`${href}: ${answer.status}`);
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

export function announce(text) {
  document.getElementById("announcement").textContent = text;
}
