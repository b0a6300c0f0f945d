/* A field that finds while one types: <div class="pick" data-pick="/admin/pick/…"> around it. What is chosen goes into the
   hidden field beside it; with data-free the text itself is what is sent. data-with names another field to send along. */
"use strict";

(() => {
  let asked = 0;
  const parts = (pick) => ({
    field: pick.querySelector("[role=combobox]"),
    hidden: pick.querySelector("input[type=hidden]"),
    list: pick.querySelector("[role=listbox]"),
  });

  function close(pick) {
    const { field, list } = parts(pick);
    list.hidden = true;
    field.setAttribute("aria-expanded", "false");
    field.removeAttribute("aria-activedescendant");
  }

  async function look(pick) {
    const { field, list } = parts(pick);
    const mine = ++asked;
    const query = new URLSearchParams({ q: field.value.trim() });
    if (pick.dataset.with) query.set(pick.dataset.with, field.form.elements[pick.dataset.with].value);
    let text;
    try {
      const answer = await fetch(`${pick.dataset.pick}?${query}`, { headers: { "HX-Request": "true" } });
      if (answer.status === 401) {
        await jiayuan.loginAgain();
        return look(pick);
      }
      if (!answer.ok) return;
      text = await answer.text();
    } catch { return; }
    if (mine !== asked) return;
    list.replaceChildren(...new DOMParser().parseFromString(text, "text/html").body.children);
    list.querySelectorAll("[role=option]").forEach((one, place) => { one.id = `${list.id}-${place}`; });
    list.hidden = false;
    field.setAttribute("aria-expanded", "true");
  }

  function choose(pick, one) {
    const { field, hidden } = parts(pick);
    field.value = one.dataset.text;
    if (hidden) hidden.value = one.dataset.value;
    close(pick);
    field.dispatchEvent(new Event("change", { bubbles: true }));
  }

  let wait = null;
  document.addEventListener("input", (event) => {
    const pick = event.target.closest?.(".pick");
    if (!pick || event.target.getAttribute("role") !== "combobox") return;
    const { hidden } = parts(pick);
    if (hidden) hidden.value = "";
    clearTimeout(wait);
    wait = setTimeout(() => look(pick), 200);
  });
  document.addEventListener("focusin", (event) => {
    const pick = event.target.closest?.(".pick");
    if (pick && event.target.getAttribute("role") === "combobox" && !pick.hasAttribute("data-free")) look(pick);
  });
  document.addEventListener("focusout", (event) => {
    const pick = event.target.closest?.(".pick");
    if (pick && !pick.contains(event.relatedTarget)) setTimeout(() => close(pick), 150);
  });
  document.addEventListener("mousedown", (event) => {
    const one = event.target.closest?.(".pick [role=option]");
    if (!one) return;
    event.preventDefault();
    choose(one.closest(".pick"), one);
  });
  document.addEventListener("keydown", (event) => {
    const pick = event.target.closest?.(".pick");
    if (!pick) return;
    const { field, list } = parts(pick);
    const all = Array.from(list.querySelectorAll("[role=option]"));
    const at = all.findIndex((one) => one.getAttribute("aria-selected") === "true");
    if (event.key === "Escape" && !list.hidden) {
      event.preventDefault();
      event.stopPropagation();
      close(pick);
    } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && all.length) {
      event.preventDefault();
      const next = (at + (event.key === "ArrowDown" ? 1 : -1) + all.length) % all.length;
      all.forEach((one, place) => one.setAttribute("aria-selected", String(place === next)));
      field.setAttribute("aria-activedescendant", all[next].id);
      all[next].scrollIntoView({ block: "nearest" });
    } else if (event.key === "Enter" && !list.hidden && at >= 0) {
      event.preventDefault();
      choose(pick, all[at]);
    } else if (event.key === "Enter" && !list.hidden && all.length === 1 && !pick.hasAttribute("data-free")) {
      event.preventDefault();  // only one fits
      choose(pick, all[0]);
    }
  });
  // A browser empties what one sees; what was chosen with it goes too.
  document.addEventListener("reset", (event) => {
    for (const hidden of event.target.querySelectorAll(".pick input[type=hidden]")) hidden.value = "";
  });
})();
