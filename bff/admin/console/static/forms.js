/* Turns a form into the JSON that the staff face wants, sends it, and shows what came of it at the form.

   <form method="post" data-api="POST /admin/api/v1/…">
     data-version="3"           sends If-Match
     data-theirs="/admin/…"     the part that shows how the thing stands now, when somebody was faster (412)
     data-refresh="#a, #b"      parts that are read anew afterwards
     data-then="/admin/x/{id}"  where to go afterwards; {…} are members of the answer
     data-show="#x"             shows members of the answer in the elements of #x that have data-value
     data-hides="#x"            takes away what data-show showed there, when it was of the same thing: #x says by
                                data-of="…" which member of the answer names it
     data-open="#y"             another form that comes next
     data-done="…"              what is said afterwards
     data-reset                 empties the form afterwards
     data-closes                closes the dialog it stands in afterwards
     data-confirm="…"           asks first
     data-multipart             sends the fields and the file as they are, not as JSON
   Fields: `a.b` is a member of a member and `a.0.b` one of a member of a list. data-type="int|bool|time|fen|centi|json" says
   what the text means; "list", "ints" and "rows" are each one text, number or JSON value of a list, "empty" is a list to
   which nothing or `a.0.b` is added. An empty field is left out, or sent as data-empty says: "null", "text" for "", "list"
   for []. A file field with
   data-upload="purpose" is uploaded first and gives the list of its ids, with data-one the id itself. */
"use strict";

const jiayuan = (() => {
  const words = JSON.parse(document.getElementById("script-words").textContent);
  const say = (text) => words[text] || text;
  const LOGIN = "/admin/api/v1/session";

  const cookie = (name) =>
    document.cookie.split("; ").map((pair) => pair.split("=")).find(([key]) => key === name)?.[1] || "";
  const named = () => {
    const bytes = crypto.getRandomValues(new Uint8Array(16));  // randomUUID is not there without https
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  };

  function toast(text, kind = "success") {
    const box = document.querySelector("[data-toasts]");
    const one = document.createElement("div");
    one.className = `toast-line ${kind}`;
    one.textContent = text;
    box.append(one);
    setTimeout(() => one.remove(), 6000);
  }

  /* --- sending ------------------------------------------------------------------------------------------ */

  let waiting = null;  // while the connection is lost: one promise for all that wait for it

  function connection() {
    if (waiting) return waiting;
    const line = document.querySelector("[data-offline]");
    line.hidden = false;
    waiting = new Promise((done) => {
      const look = async () => {
        try {
          if ((await fetch("/healthz", { cache: "no-store" })).ok) {
            line.hidden = true;
            waiting = null;
            toast(say("网络已恢复"));
            return done();
          }
        } catch { /* still away */ }
        setTimeout(look, 2000);
      };
      setTimeout(look, 1000);
    });
    return waiting;
  }

  /* An answer, whatever it takes: waits for the connection, asks for the login again. `again`: the request may be sent
     twice without harm (a GET, or a POST with its own Idempotency-Key). */
  async function send(method, path, { body, headers = {}, key, background = false, asFile = false } = {}) {
    for (;;) {
      const all = { Accept: "application/json", "Accept-Language": document.documentElement.lang, ...headers };
      if (method !== "GET") all["X-CSRF-Token"] = cookie("jiayuan_csrf");
      if (key) all["Idempotency-Key"] = key;
      if (background) all["X-Background"] = "1";
      let answer;
      try {
        answer = await fetch(path, { method, headers: all, body, credentials: "same-origin" });
      } catch {
        await connection();
        continue;
      }
      if (answer.status === 401 && path !== LOGIN && document.getElementById("login-again")) {
        await loginAgain();
        continue;
      }
      if (asFile && answer.ok) return { status: answer.status, ok: true, file: await answer.blob(), data: {} };
      const text = await answer.text();
      let data = null;
      try { data = text ? JSON.parse(text) : null; } catch { /* not ours: a proxy's page */ }
      if (data?.code === "in_flight") {
        await new Promise((done) => setTimeout(done, 1000));
        continue;
      }
      return { status: answer.status, ok: answer.ok, data: data || {}, etag: answer.headers.get("ETag") };
    }
  }

  let loggingIn = null;

  function loginAgain() {
    if (loggingIn) return loggingIn;
    const box = document.getElementById("login-again");
    const form = box.querySelector("form");
    loggingIn = new Promise((done) => {
      const stay = (event) => event.preventDefault();
      box.addEventListener("cancel", stay);
      form.onsubmit = async (event) => {
        event.preventDefault();
        clear(form);
        const answer = await send("POST", LOGIN, { body: JSON.stringify(collect(form)), headers: JSON_BODY });
        if (!answer.ok) return loginRefused(form, answer);
        box.removeEventListener("cancel", stay);
        box.close();
        form.reset();
        form.querySelector("[data-totp]").hidden = true;
        loggingIn = null;
        done();
      };
      box.showModal();
      form.querySelector("[type=password]").focus();
    });
    return loggingIn;
  }

  function loginRefused(form, answer) {
    const totp = form.querySelector("[data-totp]");
    if (answer.data.code === "totp_required" || answer.data.code === "totp_refused") totp.hidden = false;
    if (answer.data.code === "totp_required") {
      totp.querySelector("input").focus();
      return;
    }
    complain(form, answer);
  }

  const JSON_BODY = { "Content-Type": "application/json" };

  /* --- what a form holds -------------------------------------------------------------------------------- */

  const read = {
    int: (text) => (/^-?\d+$/.test(text) ? Number(text) : text),
    bool: (text) => text === "true",
    time: (text) => (text.length === 16 ? `${text}:00+08:00` : text),
    fen: (text) => (AMOUNT.test(digits(text)) ? Math.round(Number(digits(text)) * 100) : text),
    centi: (text) => read.fen(text),  // 0.01 m² and the like
    json: (text) => JSON.parse(text),
    list: (text) => text,
    ints: (text) => read.int(text),
    rows: (text) => JSON.parse(text),
    empty: () => [],
    text: (text) => text,
  };

  // 1,234.50 and １２３４．５ as well: what people type or paste.
  const AMOUNT = /^-?\d+(\.\d{1,2})?$/;
  const digits = (text) => text.normalize("NFKC").replace(/[,\s¥]/g, "");
  const MISREAD = { fen: say("请填数字，单位是元，最多两位小数，例如 1234.50。"), centi: say("请填数字，最多两位小数，例如 89.50。") };

  /* What isn't a number where one is wanted, in the units of the screen: the face knows fen alone. */
  function misread(form) {
    const errors = {};
    for (const field of form.elements) {
      const text = field.value?.trim();
      if (text && !field.disabled && MISREAD[field.dataset?.type] && !AMOUNT.test(digits(text))) errors[field.name] = [MISREAD[field.dataset.type]];
    }
    return Object.keys(errors).length ? errors : null;
  }

  function collect(form) {
    const body = {};
    for (const field of form.elements) {
      if (!field.name || field.disabled || field.type === "file" || field.type === "submit") continue;
      if ((field.type === "checkbox" || field.type === "radio") && !field.checked) continue;
      const kind = field.dataset.type || "text";
      const texts = field.multiple ? Array.from(field.selectedOptions, (o) => o.value) : [field.value];
      for (const raw of texts) {
        const text = field.type === "password" ? raw : raw.trim();
        if (text === "") {
          const empty = { null: null, text: "", list: [] };
          if (field.dataset.empty in empty) put(body, field.name, empty[field.dataset.empty], false);
          continue;
        }
        put(body, field.name, read[kind](text), ["list", "ints", "rows"].includes(kind) || field.multiple);
      }
    }
    return body;
  }

  function put(body, name, value, many) {
    const path = name.split(".");
    const last = path.pop();
    const inner = path.reduce((level, part, place) =>
      (level[part] ??= /^\d+$/.test(path[place + 1] ?? last) ? [] : {}), body);
    if (many) (inner[last] ??= []).push(value);
    else inner[last] = value;
  }

  /* The form with its files; what was left empty isn't sent. */
  function parts(form) {
    const all = new FormData(form);
    for (const [name, value] of Array.from(all)) if (value === "" || (value instanceof File && !value.name)) all.delete(name);
    return all;
  }

  async function uploads(form, body) {
    for (const field of form.querySelectorAll("input[type=file][data-upload]")) {
      const kept = (field.uploaded ??= new Map());  // what is there already isn't sent again after a refusal
      for (const file of field.files) {
        if (!kept.has(file)) {
          const parts = new FormData();
          parts.append("file", file);
          parts.append("purpose", field.dataset.upload);
          const answer = await send("POST", "/admin/api/v1/files", { body: parts, key: named() });
          if (!answer.ok) return { ...answer, data: { ...answer.data, errors: { [field.name]: [answer.data.detail] } } };
          kept.set(file, answer.data.file_id);
        }
        put(body, field.name, kept.get(file), !("one" in field.dataset));
      }
    }
    return null;
  }

  /* --- what is wrong, at the field ---------------------------------------------------------------------- */

  function clear(form) {
    for (const note of form.querySelectorAll(".field-error")) note.remove();
    for (const field of form.querySelectorAll("[aria-invalid]")) {
      field.removeAttribute("aria-invalid");
      field.classList.remove("is-invalid");
    }
    const alert = form.querySelector("[data-alert]");
    if (alert) alert.hidden = true;
  }

  function flat(errors, before = "") {
    return Object.entries(errors || {}).flatMap(([name, said]) =>
      Array.isArray(said) && said.every((one) => typeof one === "string")
        ? [[before + name, said.join(" ")]]
        : flat(said, `${before}${name}.`));
  }

  function complain(form, answer) {
    const left = [];
    let first = null;
    for (const [name, said] of flat(answer.data.errors)) {
      const field = fieldNamed(form, name);
      if (!field) { left.push(said); continue; }
      const id = `${field.id || field.name}-error`;
      const note = document.createElement("p");
      note.className = "field-error";
      note.id = id;
      note.textContent = said;
      (field.closest(".field") || field.parentElement).append(note);
      field.setAttribute("aria-invalid", "true");
      field.setAttribute("aria-describedby", id);
      field.classList.add("is-invalid");
      first ??= field;
    }
    let text = answer.data.detail || say("没有成功，请再试一次。");
    if (answer.status === 422 && first && !left.length) text = say("请改正标红的地方。");
    if (left.length) text += ` ${left.join(" ")}`;
    const alert = form.querySelector("[data-alert]");
    if (alert) {
      alert.textContent = text;
      alert.hidden = false;
    } else toast(text, "danger");
    (first || alert)?.scrollIntoView({ block: "nearest" });
    first?.focus();
  }

  function fieldNamed(form, name) {
    for (let path = name; path; path = path.includes(".") ? path.slice(0, path.lastIndexOf(".")) : "") {
      const found = Array.from(form.elements).find((one) => (one.name === path && one.type !== "hidden") || one.dataset.for === path);
      if (found) return found;
    }
    return null;
  }

  /* --- somebody was faster ------------------------------------------------------------------------------ */

  async function compare(form) {
    const box = document.getElementById("stale");
    const mine = document.createElement("dl");
    for (const field of form.elements) {
      if (!field.name || field.type === "hidden" || field.type === "submit" || field.type === "password") continue;
      if ((field.type === "checkbox" || field.type === "radio") && !field.checked) continue;
      const shown = field.tagName === "SELECT" ? Array.from(field.selectedOptions, (o) => o.text).join("、") : field.value;
      if (!shown) continue;
      const label = document.createElement("dt");
      label.textContent = field.labels?.[0]?.textContent || field.name;
      const value = document.createElement("dd");
      value.textContent = shown;
      mine.append(label, value);
    }
    if (!mine.children.length) mine.textContent = form.dataset.name || say("没有填写内容");
    box.querySelector("[data-mine]").replaceChildren(mine);
    const theirs = box.querySelector("[data-theirs]");
    const answer = await fetch(form.dataset.theirs, { headers: { "HX-Request": "true" } });
    if (!answer.ok) { toast(say("没有载入成功"), "danger"); return false; }
    theirs.replaceChildren(new DOMParser().parseFromString(await answer.text(), "text/html").body.firstElementChild);
    const version = theirs.querySelector("[data-version]")?.dataset.version;
    return new Promise((done) => {
      const end = (goOn) => { box.onclose = null; box.close(); done(goOn); };
      box.onclose = () => done(false);
      box.querySelector("[data-stale-again]").onclick = () => {
        form.dataset.version = version;
        end(true);
      };
      box.querySelector("[data-stale-back]").onclick = () => end(false);
      box.showModal();
    });
  }

  /* --- one form ----------------------------------------------------------------------------------------- */

  async function submit(form) {
    if (form.dataset.busy) return;
    if (form.dataset.confirm && !(await confirmed(form.dataset.confirm))) return;
    clear(form);
    form.dataset.busy = "1";
    form.setAttribute("aria-busy", "true");
    const buttons = form.querySelectorAll("button:not([type=button])");
    for (const button of buttons) button.disabled = true;
    try {
      await once(form);
    } finally {
      delete form.dataset.busy;
      form.removeAttribute("aria-busy");
      for (const button of buttons) button.disabled = false;
    }
  }

  async function once(form) {
    const [method, path] = form.dataset.api.split(" ");
    const errors = misread(form);
    if (errors) return complain(form, { status: 422, data: { errors } });
    for (;;) {
      if (form.hasAttribute("data-multipart")) {
        const answer = await send(method, path, { body: parts(form), key: named() });
        return answer.ok ? done(form, answer) : complain(form, answer);
      }
      const body = collect(form);
      const refused = await uploads(form, body);
      if (refused) return complain(form, refused);
      for (const rows of Object.values(body)) if (Array.isArray(rows)) rows.splice(0, rows.length, ...rows.filter((one) => one !== undefined));
      const text = method === "DELETE" || !Object.keys(body).length ? undefined : JSON.stringify(body);
      // One name for one content: what is sent again after a lost connection is not done twice.
      if (form.sent !== text || !form.key) [form.sent, form.key] = [text, named()];
      const headers = text ? { ...JSON_BODY } : {};
      if (form.dataset.version) headers["If-Match"] = `"${form.dataset.version}"`;
      const key = method === "POST" && path !== LOGIN ? form.key : undefined;
      const answer = await send(method, path, { body: text, headers, key });
      form.key = null;
      if (answer.ok) return done(form, answer);
      if (form.hasAttribute("data-login")) return loginRefused(form, answer);
      if (answer.status === 412 && form.dataset.theirs && (await compare(form))) continue;
      return complain(form, answer);
    }
  }

  function done(form, answer) {
    if (form.hasAttribute("data-login")) {
      const next = form.dataset.next || "/admin/";
      location.assign(next.startsWith("/admin") && next !== "/admin/login" ? next : "/admin/");
      return;
    }
    if (form.dataset.show) show(document.querySelector(form.dataset.show), answer.data);
    if (form.dataset.hides) hide(document.querySelector(form.dataset.hides), answer.data);
    if (form.dataset.open) document.querySelector(form.dataset.open).hidden = false;
    if (form.dataset.done) toast(form.dataset.done);
    form.dispatchEvent(new CustomEvent("jiayuan:done", { bubbles: true, detail: answer.data }));
    if (form.dataset.then) {
      location.assign(form.dataset.then.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(answer.data[name])));
      return;
    }
    if (form.hasAttribute("data-reset")) form.reset();
    if (form.hasAttribute("data-closes")) form.closest("dialog").close();
    refresh(form.dataset.refresh);
  }

  function show(box, data) {
    box.hidden = false;
    box.shown = data[box.dataset.of];
    for (const place of box.querySelectorAll("[data-value]")) {
      const value = data[place.dataset.value];
      if (place.tagName === "IMG") { place.src = value; continue; }
      place.textContent = Array.isArray(value) ? value.join("  ") : value ?? say("没有登记");
    }
  }

  function hide(box, data) {
    if (box.shown !== data[box.dataset.of]) return;
    box.hidden = true;
    for (const place of box.querySelectorAll("[data-value]")) place.textContent = "";
  }

  function refresh(parts) {
    if (!parts) return;
    for (const part of document.querySelectorAll(parts)) htmx.trigger(part, "refresh");
  }

  function confirmed(text) {
    const box = document.createElement("dialog");
    box.className = "box";
    const line = document.createElement("p");
    line.textContent = text;
    const row = document.createElement("form");
    row.method = "dialog";
    row.className = "buttons";
    for (const [value, label, look] of [["yes", say("确定"), "btn btn-primary"], ["no", say("取消"), "btn"]]) {
      const button = document.createElement("button");
      [button.value, button.textContent, button.className] = [value, label, look];
      row.append(button);
    }
    box.append(line, row);
    document.body.append(box);
    box.showModal();
    return new Promise((answered) => {
      box.onclose = () => { box.remove(); answered(box.returnValue === "yes"); };
    });
  }

  document.addEventListener("submit", (event) => {
    if (!event.target.matches("form[data-api]")) return;
    event.preventDefault();
    submit(event.target);
  });
  // What was typed isn't left by mistake.
  const touched = new WeakSet();
  document.addEventListener("input", (event) => event.target.form?.matches("[data-keep]") && touched.add(event.target.form));
  document.addEventListener("jiayuan:done", (event) => touched.delete(event.target));
  window.addEventListener("beforeunload", (event) => {
    if (Array.from(document.querySelectorAll("form[data-keep]")).some((form) => touched.has(form))) event.preventDefault();
  });

  // A button pressed before every script is there would do nothing, or lose what was typed: until then none can be.
  document.addEventListener("DOMContentLoaded", () => { document.documentElement.dataset.ready = ""; });

  return { say, send, toast, refresh, loginAgain, connection, cookie, named, confirmed, JSON_BODY };
})();
