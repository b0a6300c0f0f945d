/* Writing a notice: the buttons put the marks of app/notices/rich.py into the text; what residents will see, and how many
   houses that are, is asked of the server while one writes. */
"use strict";

(() => {
  const { say, send } = jiayuan;
  const form = document.querySelector("form[data-preview]");
  const text = form.elements.text;
  const seen = document.querySelector("[data-seen]"), title = document.querySelector("[data-seen-title]");
  const audience = document.querySelector("[data-audience]");

  function put(from, to, words, selectFrom, selectTo) {
    text.setRangeText(words, from, to, "end");
    text.setSelectionRange(selectFrom, selectTo);
    text.focus();
    text.dispatchEvent(new Event("input", { bubbles: true }));
  }

  /* Every chosen line gets its mark, or loses it when all have it. */
  function lines(mark, all) {
    const from = text.value.lastIndexOf("\n", text.selectionStart - 1) + 1;
    const end = text.value.indexOf("\n", text.selectionEnd);
    const to = end < 0 ? text.value.length : end;
    const chosen = text.value.slice(from, to).split("\n");
    const marked = chosen.every((line) => line.startsWith(mark));
    const bare = chosen.map((line) => line.replace(/^(#{1,3} +|[-*•] +)/, ""));
    const words = (marked ? bare : bare.map((line) => (line || !all ? mark + line : line))).join("\n");
    put(from, to, words, from + words.length, from + words.length);
  }

  const marks = {
    heading: () => lines("# "),
    list: () => lines("- ", true),
    strong: () => {
      const { selectionStart: from, selectionEnd: to } = text;
      const chosen = text.value.slice(from, to) || say("加粗的字");
      put(from, to, `**${chosen}**`, from + 2, from + 2 + chosen.length);
    },
    link: () => {
      const { selectionStart: from, selectionEnd: to } = text;
      const before = from && !/\s$/.test(text.value.slice(0, from)) ? " " : "";
      const words = `${before}https://`;
      put(to, to, words, to + words.length, to + words.length);
    },
  };
  document.querySelector(".toolbar").addEventListener("click", (event) => {
    const mark = event.target.closest("[data-mark]")?.dataset.mark;
    if (mark) marks[mark]();
  });

  function line(spans) {
    return spans.map((span) => {
      const words = span.link ? document.createElement("a") : document.createTextNode(span.text);
      if (span.link) Object.assign(words, { href: span.text, textContent: span.text, rel: "noopener noreferrer", target: "_blank" });
      if (!span.strong) return words;
      const strong = document.createElement("strong");
      strong.append(words);
      return strong;
    });
  }
  function block({ kind, lines: all }) {
    const box = document.createElement({ heading: "h3", list: "ul" }[kind] || "p");
    all.forEach((one, place) => {
      if (kind === "list") {
        const point = document.createElement("li");
        point.append(...line(one));
        box.append(point);
        return;
      }
      if (place) box.append(document.createElement("br"));
      box.append(...line(one));
    });
    return box;
  }

  let wait = null, asked = 0;
  async function look() {
    const mine = ++asked;
    const areas = Array.from(form.querySelectorAll("[name=area_ids]:checked"), (one) => one.value);
    const body = JSON.stringify({ text: text.value, area_ids: [...new Set(areas)] });
    const answer = await send("POST", "/admin/api/v1/notices/preview", { body, headers: { "Content-Type": "application/json" }, background: true });
    if (mine !== asked) return;
    if (!answer.ok) {
      audience.textContent = answer.data.detail || say("没有载入成功");
      return;
    }
    const box = document.createElement("div");
    box.className = "notice-text";
    box.append(...answer.data.blocks.map(block));
    seen.replaceChildren(box);
    const who = answer.data.audience;
    audience.textContent = who ? `${say("会收到")} ${who.houses} ${say("户，其中有人绑定微信的")} ${who.bound} ${say("户")}` : "";
  }
  const soon = () => { clearTimeout(wait); wait = setTimeout(look, 500); };
  form.addEventListener("input", () => { title.textContent = form.elements.title.value; soon(); });
  form.addEventListener("change", soon);
  look();
})();
