/* What is shown for a while is taken away again; papers that a POST gives are shown without lying in any cache. */
"use strict";

(() => {
  const { say, send, toast, named } = jiayuan;

  /* <form data-fades="60" data-show="#x">: what was shown goes after that many seconds, and when the page is left. */
  const empty = (box) => {
    box.hidden = true;
    for (const place of box.querySelectorAll("[data-value]")) place.textContent = "";
  };
  document.addEventListener("jiayuan:done", (event) => {
    const form = event.target;
    if (!form.matches("[data-fades]")) return;
    const box = document.querySelector(form.dataset.show);
    // Only what was asked for has a line.
    for (const place of box.querySelectorAll("dd")) {
      const asked = place.firstElementChild.dataset.value in event.detail;
      place.hidden = place.previousElementSibling.hidden = !asked;
    }
    form.elements.purpose.value = "";
    clearTimeout(box.fading);
    box.fading = setTimeout(() => empty(box), Number(form.dataset.fades) * 1000);
  });
  window.addEventListener("pagehide", () => {
    for (const form of document.querySelectorAll("form[data-fades]")) empty(document.querySelector(form.dataset.show));
  });

  /* <button data-paper="/admin/api/v1/…/content" data-kind="jpeg" data-into="#x">: opened by a POST, which is audited.
     The picture becomes a data: address in this page alone; what no browser shows is saved as a file. */
  const shown = { jpeg: "image/jpeg", png: "image/png", webp: "image/webp" };
  document.addEventListener("click", async (event) => {
    const button = event.target.closest?.("[data-paper]");
    if (!button) return;
    button.disabled = true;
    const answer = await send("POST", button.dataset.paper, { asFile: true, key: named() });
    button.disabled = false;
    if (!answer.ok) {
      toast(answer.data.detail || say("没有载入成功"), "danger");
      return;
    }
    const type = shown[button.dataset.kind];
    if (!type) {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(answer.file);
      link.download = `${say("材料")}.${button.dataset.kind}`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10000);
      return;
    }
    const reader = new FileReader();
    reader.onload = () => {
      const image = document.createElement("img");
      image.alt = button.dataset.alt;
      image.src = reader.result;
      document.querySelector(button.dataset.into).replaceChildren(image);
      button.hidden = true;
    };
    reader.readAsDataURL(new Blob([answer.file], { type }));
  });
})();
