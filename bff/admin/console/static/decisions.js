/* Decisions: ballots typed by keyboard, papers that are looked at, motions taken out of a draft, the way of a delivery,
   printing. <fieldset data-vote>: 1, 2, 3 choose and go on; data-paper: fetches a paper, which is recorded. */
"use strict";

(() => {
  const { say, send, toast, cookie } = jiayuan;

  /* --- sheets by keyboard ------------------------------------------------------------------------------- */

  document.addEventListener("keydown", (event) => {
    const box = event.target.closest?.("[data-vote]");
    const chosen = box?.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
    if (!chosen || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    chosen.checked = true;
    chosen.dispatchEvent(new Event("input", { bubbles: true }));
    const all = Array.from(chosen.form.querySelectorAll("[data-vote]"));
    const next = all[all.indexOf(box) + 1];
    (next?.querySelector("input:not([type=hidden])") || chosen.form.querySelector("input[type=file]") || chosen).focus();
  });
  // The room is found: on to the first question.
  document.addEventListener("change", (event) => {
    if (event.target.id !== "sheet-head" || !event.target.form.elements.head_id.value) return;
    event.target.form.querySelector("[data-vote] input:not([type=hidden])")?.focus();
  });
  document.addEventListener("jiayuan:done", (event) => {
    const first = event.target.dataset?.first;
    if (first) setTimeout(() => document.querySelector(first)?.focus());
  });

  /* --- papers ------------------------------------------------------------------------------------------- */

  const KINDS = { jpeg: "image/jpeg", jpg: "image/jpeg", png: "image/png", webp: "image/webp" };

  async function paper(button) {
    const headers = { "Content-Type": "application/json", "X-CSRF-Token": cookie("jiayuan_csrf") };
    const body = JSON.stringify({ file_id: button.dataset.paperId });
    let answer;
    for (;;) {
      try {
        answer = await fetch(button.dataset.paper, { method: "POST", headers, body, credentials: "same-origin" });
      } catch {
        await jiayuan.connection();
        continue;
      }
      if (answer.status !== 401) break;
      await jiayuan.loginAgain();
      headers["X-CSRF-Token"] = cookie("jiayuan_csrf");
    }
    if (!answer.ok) {
      let said = say("没有载入成功");
      try { said = (await answer.json()).detail || said; } catch { /* a proxy's page */ }
      return toast(said, "danger");
    }
    const data = await answer.arrayBuffer();
    const place = button.closest("[data-papers]").querySelector("[data-paper-shown]");
    const kind = KINDS[button.dataset.paperKind];
    if (!kind) {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([data], { type: "application/pdf" }));
      link.download = `${button.dataset.paperId}.pdf`;
      link.className = "btn btn-sm";
      link.textContent = say("保存 PDF 后打开");
      place.replaceChildren(link);
      return link.focus();
    }
    const reader = new FileReader();
    reader.onload = () => {
      const image = document.createElement("img");
      image.src = reader.result;
      image.alt = say("原件的照片");
      place.replaceChildren(image);
    };
    reader.readAsDataURL(new Blob([data], { type: kind }));
  }

  document.addEventListener("click", (event) => {
    const at = (selector) => event.target.closest?.(selector);
    if (at("[data-paper]")) paper(at("[data-paper]"));
    else if (at("[data-remove-motion]")) {
      const form = at("form");
      if (form.querySelectorAll("[data-remove-motion]").length > 1) at("[data-motion]").remove();
      else toast(say("至少要有一个议题"), "info");
    } else if (at("[data-print]")) print();
  });

  /* --- how it was delivered decides where it is sent ---------------------------------------------------- */

  document.addEventListener("change", (event) => {
    const form = event.target.matches("[data-way]") && event.target.form;
    if (form) form.dataset.api = `POST ${form.dataset.entry}/${event.target.value}`;
  });
})();
