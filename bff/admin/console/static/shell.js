/* The frame around every page: menu, theme, language, area, drawer, photos, clocks, shortcuts, lost parts. */
"use strict";

(() => {
  const { say, send, toast } = jiayuan;
  const keep = (name, value) => {
    document.cookie = `${name}=${value}; path=/admin; max-age=31536000; SameSite=Strict`;
  };

  // A long menu begins where one is.
  document.querySelector(".side [aria-current]")?.scrollIntoView({ block: "nearest" });

  /* --- choices that a cookie keeps ---------------------------------------------------------------------- */

  document.addEventListener("click", async (event) => {
    const at = (selector) => event.target.closest?.(selector);
    if (at("[data-theme-switch]")) {
      const dark = document.documentElement.dataset.bsTheme !== "dark";
      document.documentElement.dataset.bsTheme = dark ? "dark" : "light";
      keep("jiayuan_theme", dark ? "dark" : "light");
    } else if (at("[data-language]")) {
      keep("jiayuan_language", at("[data-language]").dataset.language);
      location.reload();
    } else if (at("[data-logout]")) {
      const answer = await send("DELETE", "/admin/api/v1/session");
      if (answer.ok) location.assign("/admin/login");
    } else if (at("[data-menu]")) {
      const open = document.body.classList.toggle("menu-open");
      at("[data-menu]").setAttribute("aria-expanded", String(open));
    } else if (at("[data-keys]")) document.getElementById("keys").showModal();
    else if (at("[data-opens]")) document.getElementById(at("[data-opens]").dataset.opens).showModal();
    else if (at("[data-cancel]")) at("form").remove();
    else if (at("[data-back]")) history.back();
    else if (at("[data-print]")) print();
    else if (at("[data-close]")) at("dialog").close();
  });
  document.addEventListener("change", (event) => {
    if (!event.target.matches("[data-area]")) return;
    keep("jiayuan_area", event.target.value);
    const here = new URL(location.href);
    here.searchParams.delete("area");
    here.searchParams.delete("cursor");
    location.assign(here);
  });
  document.addEventListener("click", (event) => {
    for (const open of document.querySelectorAll("details.who[open]")) if (!open.contains(event.target)) open.open = false;
    // Below the menu of other moves lies the form that a choice in it opens: it must not cover that form.
    for (const open of document.querySelectorAll("details.more[open]")) if (!open.contains(event.target) || event.target.closest("[hx-get]")) open.open = false;
  });

  /* --- the drawer: a thing beside the list that it came from, with an address of its own ---------------- */

  const drawer = document.getElementById("drawer");
  const part = (address) => `${address.split("?")[0]}/detail`;
  let shown = null;  // address in the drawer
  let below = null;  // address of the page below it

  // What is shown is said by its kind, which the address tells, and by its own heading once it is there.
  const KINDS = {
    tickets: say("工单详情"), houses: say("房屋详情"), owners: say("业主详情"), staff: say("工作人员账号"), orgs: say("单位详情"),
    areas: say("小区详情"), grids: say("网格详情"), categories: say("问题分类"), "api-keys": say("接入系统"), settings: say("小区规则"),
    routing: say("派单规则"), entries: say("账目详情"), lines: say("账目详情"), contracts: say("合同详情"),
  };
  function name(heading) {
    const [area, below] = shown.split("?")[0].split("/").slice(2);
    const kind = KINDS[area === "revenue" ? below : area] || say("详情");
    const own = heading?.textContent.replace(/\s+/g, " ").trim();
    drawer.setAttribute("aria-label", own ? `${kind}：${own}` : kind);
  }

  async function open(address, { push = true } = {}) {
    const body = drawer.querySelector("[data-body]");
    body.replaceChildren(document.getElementById("loading").content.cloneNode(true));
    drawer.querySelector("[data-own]").href = address;
    shown = address;
    name(null);
    if (!drawer.open) {
      below = location.href;
      drawer.showModal();
    }
    if (push) history.pushState({ drawer: address }, "", address);
    await load(body, part(address));
    if (shown !== address) return;  // closed meanwhile, or another one was opened
    name(body.querySelector("h2"));
    body.focus();
  }
  drawer?.addEventListener("htmx:afterSettle", () => shown && name(drawer.querySelector("[data-body] h2")));

  async function load(box, address) {
    let answer;
    for (;;) {
      try {
        answer = await fetch(address, { headers: { "HX-Request": "true" } });
      } catch {
        await jiayuan.connection();
        continue;
      }
      if (answer.status !== 401) break;
      await jiayuan.loginAgain();
    }
    const text = await answer.text();
    if (!answer.ok) {
      const said = document.createElement("p");
      try { said.textContent = JSON.parse(text).detail; } catch { said.textContent = say("没有载入成功"); }
      said.className = "alert alert-danger m-3";
      box.replaceChildren(said);
      return;
    }
    box.replaceChildren(...new DOMParser().parseFromString(text, "text/html").body.childNodes);
    htmx.process(box);
    tick();
  }

  drawer?.addEventListener("close", () => {
    drawer.querySelector("[data-body]").replaceChildren();
    shown = null;
    if (below && location.href !== below) history.pushState({}, "", below);
    for (const list of document.querySelectorAll("[data-live-part]")) htmx.trigger(list, "refresh");
  });
  window.addEventListener("popstate", (event) => {
    if (event.state?.drawer) open(event.state.drawer, { push: false });
    else if (drawer?.open) { below = null; drawer.close(); }
    else location.reload();
  });

  function neighbours() {
    const links = Array.from(document.querySelectorAll("[data-rows] a[data-drawer]"), (a) => a.getAttribute("href"));
    return [...new Set(links)];
  }
  function step(by) {
    const all = neighbours();
    const next = all[(shown ? all.indexOf(shown) : -1) + by];
    if (next) open(next);
    else toast(say("没有更多了"), "info");
  }

  document.addEventListener("click", (event) => {
    if (!drawer || event.defaultPrevented || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const link = event.target.closest("a[data-drawer]");
    const row = event.target.closest("tr[data-row]");
    if (link) {
      event.preventDefault();
      open(link.getAttribute("href"));
    } else if (row && !event.target.closest("a, button, input, label, select")) {
      open(row.querySelector("a[data-drawer]").getAttribute("href"));
    } else if (event.target.closest("[data-step]")) step(Number(event.target.closest("[data-step]").dataset.step));
  });

  /* --- photos ------------------------------------------------------------------------------------------- */

  const photos = document.getElementById("photo-box");
  let album = [], place = 0;
  function photo(by) {
    place = (place + by + album.length) % album.length;
    const image = photos.querySelector("[data-photo]");
    image.src = album[place].href;
    image.alt = album[place].querySelector("img").alt;
    photos.querySelector("[data-photo-say]").textContent = `${place + 1} / ${album.length}`;
  }
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-photo-link]");
    if (link && photos) {
      event.preventDefault();
      album = Array.from(link.closest("[data-album]").querySelectorAll("a[data-photo-link]"));
      place = album.indexOf(link);
      photo(0);
      photos.showModal();
    } else if (event.target.closest("[data-photo-step]")) photo(Number(event.target.closest("[data-photo-step]").dataset.photoStep));
  });

  // Before and after on one another: further to the right, more of afterwards is seen.
  const both = document.getElementById("compare-box");
  const sides = { before: { links: [], at: 0 }, after: { links: [], at: 0 } };
  function slide() {
    const shown = Number(both.querySelector("[data-compare-slide]").value);
    both.querySelector("[data-compare-after]").style.clipPath = `inset(0 ${100 - shown}% 0 0)`;
  }
  function compare(side, by) {
    const one = sides[side];
    one.at = (one.at + by) % one.links.length;
    both.querySelector(`[data-compare-${side}]`).src = one.links[one.at].href;
    both.querySelector(`[data-compare-next="${side}"]`).hidden = one.links.length < 2;
  }
  both?.querySelector("[data-compare-slide]").addEventListener("input", slide);
  document.addEventListener("click", (event) => {
    const start = event.target.closest("[data-compare]"), next = event.target.closest("[data-compare-next]");
    if (next) compare(next.dataset.compareNext, 1);
    if (!start) return;
    for (const side of ["before", "after"]) {
      sides[side] = { at: 0, links: Array.from(start.closest("section").querySelectorAll(`[data-stage="${side}"]`)) };
      compare(side, 0);
    }
    both.querySelector("[data-compare-slide]").value = 50;
    slide();
    both.showModal();
  });

  /* --- clocks: by the server's time, however wrong this machine's is ------------------------------------ */

  const ahead = Date.parse(document.body.dataset.now) - Date.now();
  function left(due) {
    const seconds = Math.trunc((Date.parse(due) - Date.now() - ahead) / 1000);
    const minutes = Math.floor(Math.abs(seconds) / 60), hours = Math.floor(minutes / 60), days = Math.floor(hours / 24);
    const long = days ? `${days}${say("天")}${hours % 24}${say("小时")}`
      : hours ? `${hours}${say("小时")}${minutes % 60}${say("分")}` : `${minutes}${say("分")}`;
    return [`${say(seconds < 0 ? "超时" : "还剩")} ${long}`, seconds < 0 ? "late" : seconds < 7200 ? "soon" : "calm"];
  }
  function tick() {
    for (const clock of document.querySelectorAll("[data-due]")) {
      const [text, tone] = left(clock.getAttribute("datetime"));
      const place = clock.querySelector("[data-left]");
      if (place.textContent !== text) place.textContent = text;
      for (const one of ["late", "soon", "calm"]) clock.classList.toggle(`due-${one}`, one === tone);
    }
  }
  setInterval(tick, 5000);
  document.addEventListener("htmx:afterSettle", tick);

  /* --- parts that HTMX reads ---------------------------------------------------------------------------- */

  document.addEventListener("htmx:configRequest", (event) => {
    event.detail.headers["Accept-Language"] = document.documentElement.lang;
  });
  document.addEventListener("htmx:sendError", async (event) => {
    await jiayuan.connection();
    htmx.trigger(event.detail.elt, "refresh");
  });
  document.addEventListener("htmx:responseError", async (event) => {
    if (event.detail.xhr.status === 401) {
      await jiayuan.loginAgain();
      htmx.trigger(event.detail.elt, "refresh");
      return;
    }
    let text = say("没有载入成功");
    try { text = JSON.parse(event.detail.xhr.responseText).detail || text; } catch { /* a proxy's page */ }
    toast(text, "danger");
  });

  /* --- keys --------------------------------------------------------------------------------------------- */

  let went = false;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.target.closest?.("input, textarea, select, [contenteditable]")) return;
    const goes = { h: "/admin/", t: "/admin/tickets", i: "/admin/inbox" };
    if (went && goes[event.key]) {
      const link = document.querySelector(`.side a[href="${goes[event.key]}"]`);
      if (link) location.assign(link.href);
    } else if (event.key === "/") {
      event.preventDefault();
      document.getElementById("find")?.focus();
    } else if (event.key === "?") document.getElementById("keys")?.showModal();
    else if (event.key === "j" && drawer) step(1);
    else if (event.key === "k" && drawer) step(-1);
    went = event.key === "g";
  });

  const again = document.querySelector("[data-reload]");
  if (again) setTimeout(() => location.reload(), Number(again.dataset.reload) * 1000);
})();
