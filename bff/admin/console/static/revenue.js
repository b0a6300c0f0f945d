/* The books: the ledger that is kept by keyboard, black boxes over a voucher, columns of an imported ledger. */
"use strict";

(() => {
  const { say } = jiayuan;

  /* --- the ledger: Enter saves and goes on, arrows change the row --------------------------------------- */

  const grid = document.querySelector("[data-grid]");
  const row = (field) => field.closest("tr[data-line]");
  const fieldsOf = (line) => Array.from(line.querySelectorAll("input:not([type=hidden]), select"));
  const lines = () => Array.from(grid.querySelectorAll("tr[data-line]")).filter((line) => line.querySelector("[name=day]"));
  const formOf = (line) => line.querySelector("form");

  /* 11-05, 1105, 11.5, 11月5日 are days of the period's year; 5 is one of its last written month. */
  function dayOf(text) {
    const plain = text.normalize("NFKC").trim();
    const numbers = plain.match(/\d+/g) || [];
    const [first, last] = [grid.dataset.first, grid.dataset.last];
    const fit = (month, day) => {
      const tail = `-${month.padStart(2, "0")}-${day.padStart(2, "0")}`;
      const years = [...new Set([first?.slice(0, 4), last?.slice(0, 4), grid.dataset.year])].filter(Boolean);
      return years.map((year) => year + tail).find((one) => first && one >= first && one <= last) || grid.dataset.year + tail;
    };
    if (numbers.length === 3 && numbers[0].length === 4) return `${numbers[0]}-${numbers[1].padStart(2, "0")}-${numbers[2].padStart(2, "0")}`;
    if (numbers.length === 2) return fit(numbers[0], numbers[1]);
    if (numbers.length !== 1) return plain;
    const [one] = numbers;
    if (one.length === 8) return `${one.slice(0, 4)}-${one.slice(4, 6)}-${one.slice(6)}`;
    if (one.length === 4) return fit(one.slice(0, 2), one.slice(2));
    return plain;
  }

  function down(field, by) {
    const every = lines();
    const next = every[every.indexOf(row(field)) + by];
    const same = next && fieldsOf(next).find((one) => one.name === field.name);
    same?.focus();
    if (same?.select) same.select();
    return Boolean(same);
  }

  async function drawn(id) {
    const answer = await fetch(`/admin/revenue/entries/${id}/row`, { headers: { "HX-Request": "true" } });
    if (!answer.ok) return null;
    const box = document.createElement("template");
    box.innerHTML = await answer.text();
    return box.content;
  }

  function told(text) {
    document.querySelector("[data-grid-said]").textContent = text;
  }

  async function entered(form, made) {
    const line = form.closest("tr");
    for (const field of fieldsOf(line)) if (field.name !== "day") field.value = "";
    line.querySelector("select").selectedIndex = 0;
    form.elements.kind.value = "";
    const day = fieldsOf(line)[0];
    day.focus();
    day.select();
    told(say("已记入，请接着记下一笔"));
    const content = await drawn(made.entry_id);
    if (content) line.before(content);
    else location.reload();
    line.scrollIntoView({ block: "nearest" });
  }

  if (grid) {
    grid.addEventListener("change", (event) => {
      const field = event.target;
      if (field.matches("[data-day]")) field.value = dayOf(field.value);
      if (field.matches("[data-category]")) field.form.elements.kind.value = field.selectedOptions[0].dataset.kind;
    });
    grid.addEventListener("input", (event) => row(event.target)?.classList.add("changed"));
    grid.addEventListener("keydown", (event) => {
      const field = event.target;
      if (event.isComposing || !field.form || !row(field)) return;
      if ((event.key === "ArrowDown" || event.key === "ArrowUp") && field.tagName !== "SELECT") {
        if (down(field, event.key === "ArrowDown" ? 1 : -1)) event.preventDefault();
      } else if (event.key === "Enter" && field.tagName !== "BUTTON") {
        const line = row(field);
        if (!line.matches("[data-new]") && !line.matches(".changed")) {
          event.preventDefault();
          down(field, 1);
        } else if (field.tagName === "SELECT") {
          event.preventDefault();
          field.form.requestSubmit();
        }
      } else if (event.key === "Escape" && row(field).matches("[data-new]")) field.value = "";
    });
    grid.addEventListener("jiayuan:done", (event) => {
      const form = event.target;
      if (form.matches("[data-grid-new]")) entered(form, event.detail);
      else {
        form.dataset.version = event.detail.version;
        form.closest("tr").classList.remove("changed");
        told(say("已保存"));
        const inside = document.activeElement;
        if (form.closest("tr").contains(inside) && inside.name) down(inside, 1);
      }
    });
    if (window.matchMedia("(min-width: 48rem)").matches) grid.querySelector("[data-new] [name=day]")?.focus();
  }

  // What was changed in the drawer changes in the row behind it.
  document.addEventListener("jiayuan:done", async (event) => {
    const line = grid && event.target.dataset.row && document.getElementById(`row-${event.target.dataset.row}`);
    if (!line) return;
    const content = await drawn(event.target.dataset.row);
    if (content) line.replaceWith(content);
  });

  /* --- budgets: a category without an amount isn't planned ---------------------------------------------- */

  document.addEventListener("input", (event) => {
    if (!event.target.matches("[data-plan]")) return;
    for (const field of event.target.closest("tr").querySelectorAll("input:not([data-plan])")) field.disabled = !event.target.value.trim();
  });

  /* --- imports: heading → field ------------------------------------------------------------------------- */

  document.addEventListener("submit", (event) => {
    if (!event.target.matches("[data-mapping]")) return;
    const chosen = Array.from(event.target.querySelectorAll("[data-heading]")).filter((one) => one.value);
    event.target.elements.mapping.value = JSON.stringify(Object.fromEntries(chosen.map((one) => [one.dataset.heading, one.value])));
  }, true);

  /* --- vouchers: what is covered, in 1/10,000 of the page ----------------------------------------------- */

  const cover = document.querySelector("[data-cover]");
  if (!cover) return;
  const canvas = cover.querySelector("[data-cover-canvas]");
  const pen = canvas.getContext("2d");
  const form = cover.querySelector("[data-cover-form]");
  const may = cover.hasAttribute("data-may");
  const isPdf = cover.dataset.kind === "pdf";
  const made = JSON.parse(cover.dataset.pages);
  const fixed = cover.hasAttribute("data-adds") ? JSON.parse(cover.dataset.boxes).length : 0;
  let boxes = JSON.parse(cover.dataset.boxes);
  let page = 1;
  let count = isPdf ? made.length || 20 : 1;
  const pictures = new Map();  // page → what is drawn below the boxes
  const WHOLE = 10000;
  const within = (value, least, most) => Math.min(most, Math.max(least, Math.round(value)));

  function paint(drag = null) {
    const picture = pictures.get(page);
    if (picture) {
      canvas.width = Math.min(1400, picture.width);
      canvas.height = Math.round((canvas.width * picture.height) / picture.width);
      pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
    } else {
      [canvas.width, canvas.height] = [800, 1130];
      pen.fillStyle = "#fff";
      pen.fillRect(0, 0, 800, 1130);
      pen.fillStyle = "#444";
      pen.font = "24px sans-serif";
      pen.fillText(`PDF · ${page}`, 40, 60);
    }
    boxes.concat(drag ? [drag] : []).forEach((box, place) => {
      if (box.page !== page) return;
      const [x, y] = [(box.x * canvas.width) / WHOLE, (box.y * canvas.height) / WHOLE];
      const [width, height] = [(box.width * canvas.width) / WHOLE, (box.height * canvas.height) / WHOLE];
      pen.fillStyle = "rgba(0, 0, 0, .82)";
      pen.fillRect(x, y, width, height);
      pen.fillStyle = "#fff";
      pen.font = "bold 18px sans-serif";
      pen.fillText(String(place + 1), x + 4, y + 20, width);
    });
    const pager = cover.querySelector("[data-pager]");
    pager.hidden = count < 2;
    pager.querySelector("[data-page-say]").textContent = `${page} / ${count}`;
  }

  function rows() {
    if (!form) return;
    const place = form.querySelector("[data-box-rows]");
    const pattern = cover.querySelector("[data-box-row]");
    place.replaceChildren(...boxes.map((box, number) => {
      const one = pattern.content.cloneNode(true).firstElementChild;
      one.querySelector("[data-box-name]").textContent = `${say("黑框")} ${number + 1}${count > 1 ? ` · ${say("第")} ${box.page} ${say("页")}` : ""}`;
      for (const field of one.querySelectorAll("[data-side]")) {
        field.value = box[field.dataset.side] / 100;
        field.disabled = number < fixed;
      }
      one.querySelector("[data-box-drop]").hidden = number < fixed;
      return one;
    }));
    if (!boxes.length) place.textContent = say("还没有黑框");
    form.elements.boxes.value = JSON.stringify(boxes);
    if (boxes.length) delete form.dataset.confirm;
    else form.dataset.confirm = say("没有画任何黑框：整份内容会原样公开。确定没有个人信息吗？");
  }

  const place = (field) => Array.from(form.querySelectorAll(".box-row")).indexOf(field.closest(".box-row"));
  function moved(field) {
    const box = boxes[place(field)];
    const side = field.dataset.side;
    const least = side === "x" || side === "y" ? 0 : 1;
    const number = Number(field.value.normalize("NFKC"));
    if (Number.isNaN(number)) return;
    box[side] = within(number * 100, least, WHOLE - 1 + least);
    if (side === "x" || side === "width") box.width = within(box.width, 1, WHOLE - box.x);
    else box.height = within(box.height, 1, WHOLE - box.y);
    page = box.page;
    form.elements.boxes.value = JSON.stringify(boxes);
    paint();
  }
  form?.addEventListener("input", (event) => event.target.matches("[data-side]") && moved(event.target));
  form?.addEventListener("change", (event) => {
    if (!event.target.matches("[data-side]")) return;
    const box = boxes[place(event.target)];  // as it was taken; the row stays, so that Tab goes on
    for (const field of event.target.closest(".box-row").querySelectorAll("[data-side]")) field.value = box[field.dataset.side] / 100;
  });
  form?.addEventListener("keydown", (event) => {
    const by = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (!by || !event.target.matches("[data-side]")) return;
    event.preventDefault();
    event.target.value = Number(event.target.value) + by;
    moved(event.target);
  });
  cover.addEventListener("click", (event) => {
    const step = event.target.closest("[data-page-step]");
    if (step) {
      page = within(page + Number(step.dataset.pageStep), 1, count);
      show();
    } else if (event.target.closest("[data-box-add]")) {
      boxes.push({ page, x: 1000, y: 1000, width: 3000, height: 500 });
      rows();
      paint();
      form.querySelector(".box-row:last-child [data-side]").focus();
    } else if (event.target.closest("[data-box-drop]")) {
      boxes.splice(place(event.target), 1);
      rows();
      paint();
    }
  });

  let start = null;
  const at = (event) => {
    const edge = canvas.getBoundingClientRect();
    return [within(((event.clientX - edge.left) / edge.width) * WHOLE, 0, WHOLE), within(((event.clientY - edge.top) / edge.height) * WHOLE, 0, WHOLE)];
  };
  const between = ([x, y], [other, lower]) => ({
    page, x: Math.min(x, other, WHOLE - 1), y: Math.min(y, lower, WHOLE - 1), width: Math.abs(x - other), height: Math.abs(y - lower),
  });
  if (may) {
    canvas.classList.add("drawable");
    canvas.addEventListener("pointerdown", (event) => {
      start = at(event);
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => start && paint(between(start, at(event))));
    canvas.addEventListener("pointerup", (event) => {
      if (!start) return;
      const box = between(start, at(event));
      start = null;
      if (box.width > 50 && box.height > 50) boxes.push(box);  // less is a slip of the hand
      rows();
      paint();
    });
  }

  function picture(url) {
    return new Promise((done) => {
      const image = new Image();
      image.onload = () => done(image);
      image.onerror = () => done(null);
      image.src = url;
    });
  }

  async function show() {
    if (isPdf && made[page - 1] && !pictures.has(page)) {
      const found = await picture(made[page - 1].url);
      if (found) pictures.set(page, found);
    }
    paint();
  }

  async function original() {
    const said = cover.querySelector("[data-cover-said]");
    let answer;
    for (;;) {
      try {
        answer = await fetch(cover.dataset.content, { method: "POST", headers: { "X-CSRF-Token": jiayuan.cookie("jiayuan_csrf") } });
      } catch {
        await jiayuan.connection();
        continue;
      }
      if (answer.status !== 401) break;
      await jiayuan.loginAgain();
    }
    if (!answer.ok) {
      said.textContent = say("原件没有载入成功");
      return;
    }
    const blob = await answer.blob();
    const link = cover.querySelector("[data-original-link]");
    link.href = URL.createObjectURL(blob);
    link.download = `voucher.${isPdf ? "pdf" : cover.dataset.kind}`;
    cover.querySelector("[data-original]").hidden = false;
    if (isPdf) said.textContent = made.length ? say("下面是上次生成的版面；原件可以下载。") : say("PDF 不能直接在这里显示：请下载原件对照着填数字，或先生成一次再看。");
    else {
      try {
        pictures.set(1, await createImageBitmap(blob));
        said.textContent = "";
      } catch {
        said.textContent = say("这种图片不能直接在这里显示：请下载原件对照着填数字。");
      }
    }
    canvas.dataset.ready = "1";
    await show();
  }

  rows();
  paint();
  original();
})();
