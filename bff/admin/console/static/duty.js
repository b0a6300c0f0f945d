/* Rosters: turns of the week by drag or by form, kept in the page until they are saved as a whole. Dispatch rules: the
   hours of a window only where there is one, and what a try says, sentence by sentence. */
"use strict";

(() => {
  const { say } = jiayuan;

  /* --- the week ----------------------------------------------------------------------------------------- */

  const box = document.getElementById("turn-box");
  const cell = (staff, day) => Array.from(document.querySelectorAll("#roster [data-day]"))
    .find((one) => one.dataset.staff === staff && one.dataset.day === day);
  let edited = null;

  function made(from, to) {
    const turn = document.createElement("li"), button = document.createElement("button");
    turn.className = "turn";
    [turn.dataset.from, turn.dataset.to] = [from, to];
    button.type = "button";
    button.dataset.turn = "";
    button.textContent = `${from}–${to}`;
    turn.append(button);
    return turn;
  }

  // The turns as the face wants them: one for each person and hours, with its days.
  function changed() {
    const form = document.querySelector("[data-week]"), fields = form.querySelector("[data-turn-fields]");
    const turns = new Map();
    for (const turn of document.querySelectorAll("#roster .turn")) {
      const { staff, day } = turn.parentElement.dataset;
      const key = `${staff} ${turn.dataset.from} ${turn.dataset.to}`;
      turns.set(key, (turns.get(key) || new Set()).add(day));
    }
    const field = (name, value, type) => {
      const one = document.createElement("input");
      [one.type, one.name, one.value] = ["hidden", name, value];
      if (type) one.dataset.type = type;
      return one;
    };
    fields.replaceChildren(field("turns", "-", "empty"), ...Array.from(turns).flatMap(([key, days], at) => {
      const [staff, from, to] = key.split(" ");
      return [field(`turns.${at}.staff_id`, staff), field(`turns.${at}.from`, from), field(`turns.${at}.to`, to),
        ...Array.from(days, (day) => field(`turns.${at}.weekdays`, day, "ints"))];
    }));
    form.hidden = false;
  }

  function open(turn) {
    edited = turn;
    const who = box.querySelector("#turn-staff");
    who.replaceChildren(...Array.from(document.querySelectorAll("#roster [data-person]"),
      (one) => new Option(one.textContent, one.dataset.person)));
    const at = turn?.parentElement.dataset;
    if (at) who.value = at.staff;
    for (const day of box.querySelectorAll("[data-turn-day]")) day.checked = at ? day.value === at.day : false;
    box.querySelector("#turn-from").value = turn?.dataset.from || "09:00";
    box.querySelector("#turn-to").value = turn ? turn.dataset.to.replace("24:00", "00:00") : "18:00";
    box.querySelector("[data-turn-drop]").hidden = !turn;
    box.querySelector("[data-turn-wrong]").hidden = true;
    box.showModal();
  }

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-turn-new]")) open(null);
    else if (event.target.closest("[data-turn]")) open(event.target.closest(".turn"));
  });
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("[data-turn-form]")) return;
    const days = Array.from(box.querySelectorAll("[data-turn-day]:checked"), (one) => one.value);
    const from = box.querySelector("#turn-from").value;
    let to = box.querySelector("#turn-to").value;
    if (event.submitter?.value !== "drop") {
      if (!days.length || !from || !to) {
        event.preventDefault();
        const wrong = box.querySelector("[data-turn-wrong]");
        wrong.textContent = say("请选至少一天，并填好从几点到几点。");
        wrong.hidden = false;
        return;
      }
      if (to === "00:00") to = "24:00";
      for (const day of days) cell(box.querySelector("#turn-staff").value, day).append(made(from, to));
    }
    edited?.remove();
    edited = null;
    changed();
  });

  function begin() {
    if (!window.Sortable || !document.querySelector("[data-week]")) return;
    for (const day of document.querySelectorAll("#roster .turns")) {
      if (Sortable.get(day)) continue;
      Sortable.create(day, {
        group: "turns", sort: false, draggable: ".turn", delay: 250, delayOnTouchOnly: true, ghostClass: "board-ghost",
        onEnd: ({ from, to }) => { if (from !== to) changed(); },
      });
    }
  }
  document.addEventListener("htmx:afterSettle", begin);
  begin();

  /* --- rules -------------------------------------------------------------------------------------------- */

  function hours(form) {
    const part = form.querySelector("[data-window]");
    part.hidden = part.disabled = form.elements["time.kind"].value !== "window";
    for (const field of part.querySelectorAll("input, select")) field.disabled = part.disabled;
  }
  const all = () => { for (const form of document.querySelectorAll("form[data-rule]")) hours(form); };
  document.addEventListener("change", (event) => {
    if (event.target.name === "time.kind") hours(event.target.form);
  });
  document.addEventListener("reset", (event) => { if (event.target.matches("[data-rule]")) setTimeout(all); });
  document.addEventListener("htmx:afterSettle", all);
  const drawer = document.querySelector("#drawer [data-body]");
  if (drawer) new MutationObserver(all).observe(drawer, { childList: true });
  all();

  document.addEventListener("jiayuan:done", (event) => {
    if (!event.target.matches("[data-try]")) return;
    const shown = document.querySelector("[data-tried]"), { org, staff, text } = event.detail;
    shown.querySelector("[data-tried-org]").textContent = org;
    shown.querySelector("[data-tried-staff]").textContent = staff ? ` · ${staff}` : "";
    shown.querySelector("[data-tried-why]").replaceChildren(...text.split("；").map((one) => {
      const line = document.createElement("li");
      line.textContent = one;
      return line;
    }));
    shown.hidden = false;
  });
})();
