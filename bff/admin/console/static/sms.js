/* Text messages: the blanks of a template beside what the phone will show, counting that starts by itself, opt-outs. */
"use strict";

(() => {
  const { say, send, toast, named, JSON_BODY } = jiayuan;
  const json = (id) => JSON.parse(document.getElementById(id).textContent);

  /* As app/messaging/segments.py counts: UTF-16 units with the signature, 70 in one part, else parts of 67. */
  function measured(sign, text) {
    const units = sign.length + 2 + text.length;
    const parts = units <= 70 ? 1 : Math.ceil(units / 67);
    return `${units} ${say("字")}，${say("按")} ${parts} ${say("条计费")}`;
  }
  const BLANK = /\{([a-z][a-z0-9_]{0,19})\}/g;
  const seen = document.querySelector("[data-text]"), length = document.querySelector("[data-length]");

  /* `filled` gives what stands in a blank, and whether that is still to come. */
  function show(sign, text, filled) {
    const pieces = [`【${sign}】`];
    let at = 0, whole = "";
    for (const found of text.matchAll(BLANK)) {
      const mark = document.createElement("mark");
      mark.textContent = filled(found[1]);
      pieces.push(text.slice(at, found.index), mark);
      whole += text.slice(at, found.index) + mark.textContent;
      at = found.index + found[0].length;
    }
    pieces.push(text.slice(at));
    seen.replaceChildren(...pieces);
    length.textContent = measured(sign, whole + text.slice(at));
  }

  function field(id, label, must) {
    const box = document.createElement("div");
    box.className = "field";
    const name = document.createElement("label");
    name.className = "form-label";
    name.htmlFor = id;
    name.textContent = label;
    if (must) {
      const mark = document.createElement("span");
      mark.className = "must";
      mark.textContent = say("必填");
      name.append(mark);
    }
    box.append(name);
    return box;
  }
  function hint(text) {
    const line = document.createElement("p");
    line.className = "form-hint";
    line.textContent = text;
    return line;
  }

  /* --- writing a campaign ------------------------------------------------------------------------------- */

  const campaign = document.querySelector("form[data-campaign]");
  if (campaign) {
    const texts = new Map(json("texts").map((one) => [one.id, one]));
    const kept = json("params");
    const box = campaign.querySelector("[data-params]"), lacks = campaign.querySelector("[data-lacks]");
    const chosen = () => texts.get(campaign.elements.template_id.value);
    const own = { estate: say("小区名"), room: say("房号"), list: say("名单里的内容") };

    const draw = () => {
      const text = chosen();
      if (!text) {
        seen.textContent = say("选好模板后显示在这里");
        length.textContent = "";
        return;
      }
      const fills = new Map(text.parameters.map((one) => [one.name, one.fill]));
      show(text.sign, text.text, (name) => {
        const fill = fills.get(name);
        if (fill !== "campaign") return own[fill];
        return campaign.elements[`params.${name}`]?.value.trim() || text.parameters.find((one) => one.name === name).called;
      });
    };
    const choose = () => {
      for (const one of box.querySelectorAll("input")) kept[one.dataset.name] = one.value;
      const text = chosen();
      const asked = (text?.parameters || []).map((one) => {
        const id = `p-${one.name}`;
        if (one.fill !== "campaign") {
          return hint(`${one.called}：${one.fill === "list" ? `${say("从名单的这一列里取")}“${one.name}”` : `${say("系统自动填")}${own[one.fill]}`}`);
        }
        const line = field(id, one.called, true);
        const input = document.createElement("input");
        Object.assign(input, { id, name: `params.${one.name}`, className: "form-control", maxLength: one.longest, value: kept[one.name] || "", autocomplete: "off" });
        input.dataset.name = one.name;
        const before = text.text.split(`{${one.name}}`)[0].replace(BLANK, "□").slice(-12);
        line.append(input, hint(`${before ? `${say("接在")}“${before}”${say("后面")}，` : ""}${say("最多")} ${one.longest} ${say("字，不能有网址")}`));
        return line;
      });
      box.replaceChildren(...asked);
      lacks.hidden = !text?.lacks;
      lacks.textContent = text?.lacks ? `${say("现在还没有服务商能发这个模板。")}${text.lacks}` : "";
      draw();
    };
    const delay = campaign.querySelector("[data-delay]");
    const both = () => { delay.hidden = !campaign.querySelector("[data-channel='wechat,sms']").checked; };
    campaign.addEventListener("input", draw);
    campaign.addEventListener("change", (event) => {
      if (event.target.name === "template_id") choose();
      if (event.target.name === "channels") both();
    });
    choose();
    both();
  }

  /* --- writing a template ------------------------------------------------------------------------------- */

  const template = document.querySelector("form[data-template]");
  if (template) {
    const known = new Map(json("blanks").map((one) => [one.name, { longest: String(one.longest), fill: one.fill, title: one.title || "" }]));
    const fills = json("fills");
    const box = template.querySelector("[data-blanks]");
    const { text, sign } = template.elements;
    let drawn = null;
    const rowOf = (name) => Array.from(box.children).find((one) => one.dataset.name === name);
    const typed = (name) => rowOf(name)?.querySelector("[data-title]").value.trim() ?? known.get(name)?.title;

    const draw = () => {
      for (const one of box.children) {
        known.set(one.dataset.name, {
          longest: one.querySelector("input[inputmode]").value, fill: one.querySelector("select").value, title: typed(one.dataset.name),
        });
      }
      const names = [...new Set(Array.from(text.value.matchAll(BLANK), (found) => found[1]))];
      show(sign.value, text.value, (name) => typed(name) || `${say("空白")} ${names.indexOf(name) + 1}`);
      if (drawn === names.join()) return;
      drawn = names.join();
      box.replaceChildren(...names.map((name, place) => {
        const now = known.get(name) || { longest: "20", fill: "campaign", title: "" };
        const row = document.createElement("fieldset");
        row.className = "blank-row";
        row.dataset.name = name;
        const legend = document.createElement("legend");
        legend.textContent = `${say("空白")} ${place + 1}（${name}）`;
        const hidden = document.createElement("input");
        Object.assign(hidden, { type: "hidden", name: `parameters.${place}.name`, value: name });
        const calls = field(`b-${place}-title`, say("这处空白叫什么"), false);
        const title = document.createElement("input");
        Object.assign(title, { id: `b-${place}-title`, name: `parameters.${place}.title`, className: "form-control", maxLength: 12, value: now.title, autocomplete: "off", placeholder: say("例如：停电时间") });
        title.dataset.title = "";
        calls.append(title);
        const most = field(`b-${place}-longest`, say("最多几个字"), true);
        const number = document.createElement("input");
        Object.assign(number, { id: `b-${place}-longest`, name: `parameters.${place}.longest`, className: "form-control", inputMode: "numeric", value: now.longest });
        number.dataset.type = "int";
        most.append(number);
        const how = field(`b-${place}-fill`, say("怎么填"), false);
        const select = document.createElement("select");
        Object.assign(select, { id: `b-${place}-fill`, name: `parameters.${place}.fill`, className: "form-select" });
        for (const [value, label] of fills) select.append(new Option(label, value, value === now.fill, value === now.fill));
        how.append(select);
        row.append(legend, hidden, calls, most, how);
        return row;
      }));
    };
    template.querySelector("[data-blank]").addEventListener("click", () => {
      let number = 1;
      while (text.value.includes(`{p${number}}`)) number += 1;
      text.setRangeText(`{p${number}}`, text.selectionStart, text.selectionEnd, "end");
      text.focus();
      text.dispatchEvent(new Event("input", { bubbles: true }));
    });
    template.addEventListener("input", draw);
    draw();
  }

  /* --- what begins by itself: <form data-api="…" data-at-once> ------------------------------------------ */

  const begin = (inside) => {
    for (const form of inside.querySelectorAll("form[data-at-once]:not([data-begun])")) {
      form.dataset.begun = "1";
      form.requestSubmit();
    }
  };
  begin(document);
  document.addEventListener("htmx:afterSettle", () => begin(document));

  /* --- does a number want messages? --------------------------------------------------------------------- */

  const asking = document.querySelector("form[data-opt-out]");
  if (asking) {
    const found = document.getElementById("opted"), alert = asking.querySelector("[data-alert]");
    const path = "/admin/api/v1/opt-outs";
    const sources = { reply: say("回复短信退订"), desk: say("在窗口说过不要短信") };
    let phone = "";

    const take = (answer) => {
      alert.hidden = answer.ok;
      if (!answer.ok) {
        found.hidden = true;
        alert.textContent = answer.data.errors?.phone?.[0] || answer.data.detail || say("没有成功，请再试一次。");
        asking.elements.phone.focus();
        return false;
      }
      const { phone: masked, opted_out: out, source, at } = answer.data;
      found.querySelector("[data-value=phone]").textContent = masked;
      const when = at ? new Date(at).toLocaleString(document.documentElement.lang, { timeZone: "Asia/Shanghai", dateStyle: "medium", timeStyle: "short" }) : "";
      found.querySelector("[data-said]").textContent = out ? `${say("已退订")}：${sources[source] || ""}，${when}` : say("没有退订，会收到短信。");
      found.querySelector("[data-opt=out]").hidden = out;
      found.querySelector("[data-opt=in]").hidden = !out;
      found.hidden = false;
      return true;
    };
    asking.addEventListener("submit", async (event) => {
      event.preventDefault();
      phone = asking.elements.phone.value.replace(/[\s-]/g, "");
      take(await send("GET", `${path}?${new URLSearchParams({ phone })}`));
    });
    found.addEventListener("click", async (event) => {
      const opt = event.target.closest("[data-opt]")?.dataset.opt;
      if (!opt) return;
      const answer = await send("POST", opt === "out" ? path : `${path}/withdraw`, { body: JSON.stringify({ phone }), headers: JSON_BODY, key: named() });
      if (take(answer)) toast(opt === "out" ? say("已登记退订") : say("已恢复接收短信"));
    });
  }
})();
