// The recipient's page looks again by itself while somebody looks at it: it asks with the tag of what it shows, and swaps
// only what has changed. Whoever has no script, or wants none of this, has the link at the foot of the page.
(() => {
  "use strict";
  const main = document.querySelector("main[data-again]");
  const choice = document.getElementById("by-itself");
  if (!main || !choice) return;
  const EVERY = 60_000, SOON = 15_000;
  const wanted = choice.querySelector("input");
  let tag = main.dataset.tag, asking = false, over = false, last = Date.now(), touched = false;
  choice.hidden = false;
  main.addEventListener("input", (event) => { if (event.target.closest("form")) touched = true; });

  // true when all of it stands there: what somebody is at is left alone until next time
  const swap = (next) => {
    let all = true;
    for (const part of main.querySelectorAll("[data-part]")) {
      const other = next.querySelector(`[data-part="${part.dataset.part}"]`);
      if (!other || part.innerHTML === other.innerHTML || part.querySelector(".code")) continue;
      if (part.contains(document.activeElement) || (touched && part.querySelector("form"))) { all = false; continue; }
      part.className = other.className;
      part.innerHTML = other.innerHTML;
    }
    return all;
  };
  const look = async (least) => {
    if (asking || over || document.hidden || !wanted.checked || Date.now() - last < least) return;
    asking = true;
    last = Date.now();
    try {
      const answer = await fetch(main.dataset.again, { headers: { Accept: "text/html", "If-None-Match": `"${tag}"` } });
      if (answer.status === 404) over = true;
      if (answer.status !== 200) return;
      const next = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
      if (swap(next)) tag = next.dataset.tag;
      over = !next.dataset.again;
    } catch {
      // no answer: it is asked again in a minute
    } finally {
      asking = false;
    }
  };
  setInterval(() => look(0), EVERY);
  document.addEventListener("visibilitychange", () => look(SOON));
})();
