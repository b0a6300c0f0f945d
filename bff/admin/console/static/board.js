/* The board: a card that is dragged to another column, or moved there by its button, makes the move that leads there. The
   server says which one that is, or why there is none; until it is made the card stays where it was. */
"use strict";

(() => {
  const { say } = jiayuan;
  const box = document.getElementById("drop-box"), choice = document.getElementById("move-to");
  const place = box.querySelector("[data-drop]"), said = document.querySelector("[data-board-said]");
  let dragging = false, chosen = null;

  function refused(text) {
    said.textContent = text;
    said.hidden = false;
  }

  async function look(card, key) {
    said.hidden = true;
    let answer;
    for (;;) {
      try {
        answer = await fetch(`/admin/tickets/${card.dataset.card}/drop/${key}`, { headers: { "HX-Request": "true" } });
      } catch {
        await jiayuan.connection();
        continue;
      }
      if (answer.status !== 401) break;
      await jiayuan.loginAgain();
    }
    const text = await answer.text();
    if (!answer.ok) {
      let detail = say("没有载入成功");
      try { detail = JSON.parse(text).detail || detail; } catch { /* a proxy's page */ }
      return refused(detail);
    }
    const found = new DOMParser().parseFromString(text, "text/html").body;
    const why = found.querySelector("[data-refused]");
    if (why) return refused(`${card.dataset.number}：${why.textContent}`);
    place.replaceChildren(...found.childNodes);
    htmx.process(place);
    const form = place.querySelector("form");
    if (Array.from(form.elements).some((field) => field.name)) box.showModal();
    else form.requestSubmit();  // nothing to fill in: it is done at once
  }

  // A refusal stands in the form, which is then shown.
  new MutationObserver(() => {
    const alert = place.querySelector("[data-alert]");
    if (alert && !alert.hidden && !box.open) box.showModal();
  }).observe(place, { subtree: true, attributes: true, attributeFilter: ["hidden"] });
  place.addEventListener("jiayuan:done", () => {
    box.close();
    place.replaceChildren();
    htmx.trigger(document.getElementById("board"), "refresh");
  });
  place.addEventListener("click", (event) => { if (event.target.closest("[data-cancel]")) box.close(); });
  box.addEventListener("close", () => place.replaceChildren());

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-move-card]"), to = event.target.closest("[data-move-to]");
    if (button) {
      chosen = button.closest("[data-card]");
      const at = chosen.closest("[data-column]").dataset.column;
      for (const one of choice.querySelectorAll("[data-move-to]")) one.disabled = one.dataset.moveTo === at;
      choice.querySelector("[data-move-number]").textContent = chosen.dataset.number;
      choice.showModal();
    } else if (to) {
      choice.close();
      look(chosen, to.dataset.moveTo);
    }
  });

  function begin() {
    if (!window.Sortable) return;
    for (const column of document.querySelectorAll("#board [data-column]")) {
      if (Sortable.get(column)) continue;
      Sortable.create(column, {
        group: "board", sort: false, draggable: ".board-card", filter: "button", preventOnFilter: false,
        delay: 250, delayOnTouchOnly: true, scroll: true, bubbleScroll: true, ghostClass: "board-ghost",
        onStart: () => { dragging = true; },
        onEnd: ({ item, from, to, oldIndex }) => {
          dragging = false;
          if (from === to) return;
          from.insertBefore(item, from.children[oldIndex] || null);
          look(item, to.dataset.column);
        },
      });
    }
  }
  // What is read anew while a card is in the hand would take it away.
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (dragging && event.detail.elt.id === "board") event.preventDefault();
  });
  document.addEventListener("htmx:configRequest", (event) => {
    if (event.detail.elt.id !== "filters") return;
    const given = event.detail.parameters;
    for (const name of Object.keys(given)) if (!String(given[name]).trim()) delete given[name];
  });
  document.addEventListener("htmx:afterSettle", begin);
  begin();
})();
