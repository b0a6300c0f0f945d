/* The ticket list: which rows are chosen, what is done to all of them, which columns and filters one likes. */
"use strict";

(() => {
  const { say, send, named } = jiayuan;
  const kept = (key, otherwise) => {
    try { return JSON.parse(localStorage.getItem(key)) ?? otherwise; } catch { return otherwise; }
  };
  const keep = (key, value) => {
    try { localStorage.setItem(key, JSON.stringify(value)); } catch { /* for this page alone */ }
  };
  const list = () => document.getElementById("list");

  /* --- filters ------------------------------------------------------------------------------------------ */

  document.addEventListener("htmx:configRequest", (event) => {
    if (event.detail.elt.id !== "filters") return;
    const given = event.detail.parameters;
    for (const name of Object.keys(given)) if (!String(given[name]).trim()) delete given[name];
  });

  const FILTERS = "jiayuan_filters";
  function savedFilters() {
    const place = document.querySelector("[data-saved-list]");
    const saved = kept(FILTERS, []);
    place.replaceChildren(...saved.map(({ name, query }) => {
      const one = document.createElement("span");
      one.className = "saved-one";
      const link = document.createElement("a");
      link.href = `/admin/tickets${query}`;
      link.textContent = name;
      const away = document.createElement("button");
      away.type = "button";
      away.textContent = "×";
      away.setAttribute("aria-label", `${say("删除")} ${name}`);
      away.onclick = () => {
        keep(FILTERS, kept(FILTERS, []).filter((other) => other.name !== name));
        savedFilters();
      };
      one.append(link, away);
      return one;
    }));
    if (!saved.length) place.textContent = say("还没有保存");
  }
  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-save-filter]")) return;
    const place = document.querySelector("[data-saved-list]");
    const form = document.createElement("form");
    form.className = "saved-new";
    const field = document.createElement("input");
    [field.className, field.maxLength, field.required] = ["form-control form-control-sm", 12, true];
    field.setAttribute("aria-label", say("给它起个名字"));
    field.placeholder = say("给它起个名字");
    const button = document.createElement("button");
    [button.className, button.textContent] = ["btn btn-sm btn-primary", say("保存")];
    form.append(field, button);
    form.onsubmit = (sent) => {
      sent.preventDefault();
      const query = new URLSearchParams(location.search);
      query.delete("cursor");
      const rest = kept(FILTERS, []).filter((other) => other.name !== field.value.trim());
      keep(FILTERS, [...rest, { name: field.value.trim(), query: query.size ? `?${query}` : "" }].slice(-8));
      savedFilters();
    };
    place.replaceChildren(form);
    field.focus();
  });

  /* --- columns ------------------------------------------------------------------------------------------ */

  const COLUMNS = "jiayuan_columns_hidden";
  function columns() {
    const hidden = kept(COLUMNS, []);
    for (const box of document.querySelectorAll("[data-column]")) {
      box.checked = !hidden.includes(box.dataset.column);
      document.body.classList.toggle(`no-${box.dataset.column}`, !box.checked);
    }
  }
  document.addEventListener("change", (event) => {
    if (!event.target.matches("[data-column]")) return;
    const hidden = Array.from(document.querySelectorAll("[data-column]:not(:checked)"), (box) => box.dataset.column);
    keep(COLUMNS, hidden);
    columns();
  });

  /* --- what is chosen; it stays chosen when the list is read anew --------------------------------------- */

  const chosen = new Map();
  function bar() {
    const line = document.querySelector("[data-batch]");
    line.hidden = !chosen.size;
    line.querySelector("[data-chosen]").textContent = chosen.size;
  }
  function mark() {
    for (const box of list().querySelectorAll("[data-pick-one]")) box.checked = chosen.has(box.value);
    bar();
  }
  document.addEventListener("change", (event) => {
    const boxes = event.target.matches("[data-pick-all]") ? list().querySelectorAll("[data-pick-one]")
      : event.target.matches("[data-pick-one]") ? [event.target] : [];
    for (const box of boxes) {
      if (event.target.checked) chosen.set(box.value, box.closest("tr").dataset.number);
      else chosen.delete(box.value);
    }
    if (boxes.length) mark();
  });
  document.addEventListener("htmx:afterSettle", () => list() && mark());

  /* --- the same to all of them, one after another ------------------------------------------------------- */

  /* The words that go with each of them; null where one thought better of it. */
  function noted(box) {
    const form = box.querySelector("form"), words = box.querySelector("textarea"), lacks = box.querySelector(".field-error");
    const isEmpty = (empty) => {
      lacks.hidden = !empty;
      words.classList.toggle("is-invalid", empty);
      if (empty) words.setAttribute("aria-invalid", "true");
      else words.removeAttribute("aria-invalid");
    };
    words.value = "";
    isEmpty(false);
    box.querySelector("[data-note-count]").textContent = chosen.size;
    form.onsubmit = (event) => {
      if (words.value.trim()) return;
      event.preventDefault();
      isEmpty(true);
      words.focus();
    };
    box.returnValue = "";
    box.showModal();
    return new Promise((answered) => {
      box.onclose = () => answered(box.returnValue === "yes" ? words.value.trim() : null);
    });
  }

  document.addEventListener("click", async (event) => {
    if (event.target.closest("[data-batch-none]")) {
      chosen.clear();
      mark();
      return;
    }
    const button = event.target.closest("[data-batch-path]");
    if (!button) return;
    const name = button.textContent;
    const note = button.dataset.batchAsks ? await noted(document.getElementById(button.dataset.batchAsks)) : undefined;
    if (note === null) return;
    if (note === undefined && !(await jiayuan.confirmed(`${name}：${chosen.size} ${say("件工单")}？`))) return;
    const box = document.getElementById("batch-box");
    const rows = box.querySelector("[data-batch-rows]"), bar = box.querySelector("[data-batch-progress]");
    box.querySelector("[data-batch-title]").textContent = name;
    rows.replaceChildren();
    [bar.max, bar.value] = [chosen.size, 0];
    box.showModal();
    for (const [id, number] of [...chosen]) {
      const line = document.createElement("li");
      line.textContent = `${number}：${say("正在办理")}`;
      rows.append(line);
      const body = note !== undefined ? JSON.stringify({ note }) : button.dataset.batchPath === "dispatch" ? "{}" : undefined;
      const headers = body ? jiayuan.JSON_BODY : {};
      const answer = await send("POST", `/admin/api/v1/tickets/${id}/${button.dataset.batchPath}`, { body, headers, key: named() });
      line.className = answer.ok ? "well" : "badly";
      line.textContent = `${number}：${answer.ok ? say("成功") : answer.data.detail || say("没有成功")}`;
      if (answer.ok) chosen.delete(id);
      bar.value += 1;
      line.scrollIntoView({ block: "nearest" });
    }
    htmx.trigger(list(), "refresh");
  });

  savedFilters();
  columns();
})();
