/* Pages of the system: parts of a form that depend on a choice, dialogs that begin with what was clicked, drawings from a
   file, secrets that are gone once their dialog is closed.

   data-when="id:a,b"    shown, and sent, only while the field with that id has one of these values
   data-fill='{…}'       on what opens a dialog: values for its fields by name, and texts for [data-text="name"]
   data-drawing          a file field whose GeoJSON is drawn before it is sent
   data-read-into="id"   a file field whose text goes into that field */
"use strict";

(() => {
  const { say } = jiayuan;

  /* --- what depends on a choice ------------------------------------------------------------------------- */

  function settle(form) {
    for (const part of form.querySelectorAll("[data-when]")) {
      const [id, values] = part.dataset.when.split(":");
      const on = values.split(",").includes(form.querySelector(`#${id}`)?.value);
      part.hidden = !on;
      const fields = part.matches("input, select, textarea") ? [part] : part.querySelectorAll("input, select, textarea");
      for (const field of fields) field.disabled = !on;
    }
  }
  document.addEventListener("change", (event) => {
    const form = event.target.form;
    if (form?.querySelector("[data-when]")) settle(form);
  });
  document.addEventListener("reset", (event) => setTimeout(() => settle(event.target)));

  /* --- dialogs ------------------------------------------------------------------------------------------ */

  document.addEventListener("click", (event) => {
    const opener = event.target.closest?.("[data-fill]");
    if (!opener) return;
    const box = document.getElementById(opener.dataset.opens);
    const given = JSON.parse(opener.dataset.fill);
    const form = box.querySelector("form");
    for (const [name, value] of Object.entries(given)) {
      const field = form.elements[name];
      if (field) field.value = value;
      for (const place of box.querySelectorAll(`[data-text="${name}"]`)) place.textContent = value;
    }
    if (given.api) form.dataset.api = given.api;
    if (given.version) form.dataset.version = given.version;
    settle(form);
  });

  // What is shown once doesn't stay in a closed dialog.
  document.addEventListener("close", (event) => {
    for (const shown of event.target.querySelectorAll?.(".shown.once") || []) {
      shown.hidden = true;
      for (const place of shown.querySelectorAll("[data-value]")) place.textContent = "";
    }
    for (const form of event.target.querySelectorAll?.("form[data-once]") || []) {
      form.hidden = false;
      form.reset();
    }
  }, true);
  document.addEventListener("jiayuan:done", (event) => {
    if (event.target.matches("form[data-once]")) event.target.hidden = true;
  });

  /* --- files -------------------------------------------------------------------------------------------- */

  const SVG = "http://www.w3.org/2000/svg";
  const rings = (geometry) => (geometry?.type === "MultiPolygon" ? geometry.coordinates.flat() : geometry?.coordinates || []);

  function draw(box, features) {
    const all = features.flatMap((one) => rings(one.geometry));
    const points = all.flat();
    const [west, east] = [Math.min(...points.map((p) => p[0])), Math.max(...points.map((p) => p[0]))];
    const [south, north] = [Math.min(...points.map((p) => p[1])), Math.max(...points.map((p) => p[1]))];
    const narrow = Math.cos(((south + north) / 2) * Math.PI / 180);
    const scale = 380 / Math.max((east - west) * narrow, north - south, 1e-9);
    const at = ([x, y]) => `${((x - west) * narrow * scale + 10).toFixed(1)},${((north - y) * scale + 10).toFixed(1)}`;
    const picture = document.createElementNS(SVG, "svg");
    picture.setAttribute("viewBox", `0 0 ${(east - west) * narrow * scale + 20} ${(north - south) * scale + 20}`);
    picture.setAttribute("class", "plan");
    picture.setAttribute("role", "img");
    picture.setAttribute("aria-label", `${say("文件里的边界")}：${features.length}`);
    for (const one of features) {
      const line = document.createElementNS(SVG, "path");
      line.setAttribute("d", rings(one.geometry).map((ring) => `M${ring.map(at).join("L")}Z`).join(""));
      line.setAttribute("class", one.properties?.building ? "plan-building" : "plan-estate");
      const title = document.createElementNS(SVG, "title");
      title.textContent = one.properties?.building || say("小区边界");
      line.append(title);
      picture.append(line);
    }
    box.replaceChildren(picture);
  }

  document.addEventListener("change", async (event) => {
    const field = event.target;
    if (field.matches?.("[data-read-into]") && field.files[0]) {
      document.getElementById(field.dataset.readInto).value = await field.files[0].text();
    }
    if (!field.matches?.("[data-drawing]") || !field.files[0]) return;
    const form = field.form, box = form.querySelector("[data-drawn]"), button = form.querySelector("button:not([type=button])");
    button.disabled = true;
    try {
      const given = JSON.parse(await field.files[0].text());
      const features = given.type === "FeatureCollection" ? given.features : [given];
      form.elements.features.value = JSON.stringify(features);
      draw(box, features);
      button.disabled = false;
    } catch {
      form.elements.features.value = "";
      box.textContent = say("这个文件不是 GeoJSON，请换一个文件。");
    }
  });
})();
