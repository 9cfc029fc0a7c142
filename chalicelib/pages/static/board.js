// The board: polls what has changed, opens orders beside the queue, and leaves everything else to the links and forms,
// which work without it.
(() => {
  "use strict";
  const $ = (id) => document.getElementById(id);
  const clock = $("clock");
  if (clock) {
    const format = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: clock.dataset.zone });
    const offset = 1000 * Number(clock.dataset.now) - Date.now();
    setInterval(() => { clock.textContent = format.format(new Date(Date.now() + offset)); }, 5000);
  }

  const say = (words) => { const said = $("said"); if (said) said.textContent = words; };

  // --- polling: nothing is asked while nobody looks, and nothing is drawn anew where nothing has changed
  const live = $("live");
  let tag = live?.dataset.tag, asking = false, missed = 0;
  const poll = async (now) => {
    if (!live || asking || (document.hidden && !now)) return;
    asking = true;
    try {
      const answer = await fetch(live.dataset.poll, { headers: { "HX-Request": "true", Accept: "text/html", "If-None-Match": `"${tag}"` } });
      missed = 0;
      live.removeAttribute("data-stale");
      if (answer.status === 200) {
        tag = (answer.headers.get("ETag") || "").replaceAll('"', "");
        const text = await answer.text();
        const before = counts(), place = standing();
        await morph(live, text);
        mark();
        stand(place);
        tell(before, counts());
      } else if (answer.status === 401) {
        location.reload();
      }
    } catch {
      missed += 1;
      if (missed >= 3) live.dataset.stale = "yes";
    } finally {
      asking = false;
    }
  };
  const morph = async (target, text) => {
    await htmx.swap({ target, text, swap: "innerMorph", sourceElement: target, transition: false });
  };
  // whoever goes through the lines by keyboard stays at theirs when they are sorted anew, or at the one in its place
  const links = () => [...document.querySelectorAll("a.order")];
  const standing = () => {
    const at = document.activeElement?.closest?.("a.order");
    return at && { order: at.dataset.order, index: links().indexOf(at) };
  };
  const stand = (place) => {
    if (!place || links().includes(document.activeElement)) return;
    const all = links();
    (all.find((link) => link.dataset.order === place.order) || all[Math.min(place.index, all.length - 1)])?.focus();
  };
  const counts = () => [...document.querySelectorAll(".counters li")].map((li) => li.textContent.trim().replace(/\s+/g, " "));
  const tell = (before, after) => {
    const changed = after.filter((words, at) => words !== before[at] && !words.endsWith("in all"));
    if (changed.length) say(changed.join(", "));
  };
  if (live) {
    const every = Number(live.dataset.every) || 5000;
    setInterval(poll, every);
    if (tag === "none") for (const wait of [800, 1600, 2600, 4000]) setTimeout(() => tag === "none" && poll(true), wait);
    document.addEventListener("visibilitychange", () => { if (!document.hidden) poll(); });
  }

  // --- an order beside the queue
  const drawer = $("drawer");
  const nothing = drawer?.innerHTML;
  let open = null, opener = null;
  const mark = () => {
    for (const row of document.querySelectorAll("tr[aria-current]")) row.removeAttribute("aria-current");
    if (open) $(open)?.setAttribute("aria-current", "true");
  };
  const show = async (address, options = {}) => {
    drawer.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(address, { ...options, headers: { "HX-Request": "true", Accept: "text/html", ...(options.headers || {}) } });
      drawer.innerHTML = await answer.text();
      drawer.scrollTop = 0;
      (drawer.querySelector("[role=alert]") || drawer.querySelector("h2") || drawer).focus?.();
      drawer.querySelector("h2")?.focus();
      const told = drawer.querySelector("[role=alert]");
      if (told) say(told.textContent);
      return answer.ok;
    } catch {
      say("No answer. Try again.");
      return false;
    } finally {
      drawer.removeAttribute("aria-busy");
    }
  };
  const close = () => {
    if (!open) return;
    const back = document.querySelector(`a.order[data-order="${open}"]`) || (opener?.isConnected ? opener : document.querySelector("a.order") || $("main"));
    open = null;
    drawer.innerHTML = nothing;
    document.body.classList.remove("has-order");
    mark();
    back?.focus();
  };
  if (drawer) {
    document.addEventListener("click", (event) => {
      const link = event.target.closest("a.order, a.close");
      if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
      event.preventDefault();
      if (link.classList.contains("close")) return close();
      open = link.dataset.order;
      opener = link;
      document.body.classList.add("has-order");
      mark();
      show(link.href);
    });
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape") close();
      const at = document.activeElement?.closest?.("a.order");
      if (at && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
        const all = links();
        const next = all[all.indexOf(at) + (event.key === "ArrowDown" ? 1 : -1)];
        if (next) { event.preventDefault(); next.focus(); }
      }
    });
    document.addEventListener("submit", async (event) => {
      const form = event.target.closest("form.deed");
      if (!form || !drawer.contains(form)) return;
      event.preventDefault();
      const pressed = form.querySelector("button");
      pressed.disabled = true;
      const done = await show(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) });
      pressed.disabled = false;
      if (done) setTimeout(() => poll(true), 1200);
    });
  }

  // --- a question that is being worked out
  const impact = $("impact");
  if (impact && impact.dataset.done === "no") {
    const ask = async () => {
      const answer = await fetch(impact.dataset.poll, { headers: { "HX-Request": "true", Accept: "text/html" } });
      if (answer.ok) impact.innerHTML = await answer.text();
      if (!impact.querySelector("#impact-done, [role=alert]")) setTimeout(ask, Number(impact.dataset.every));
    };
    setTimeout(ask, 400);
  }
})();
