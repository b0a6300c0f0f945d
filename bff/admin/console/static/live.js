/* What changes while a page is looked at: asks every four seconds while it is visible, reads its parts anew, rings. */
"use strict";

(() => {
  const { say, send, toast } = jiayuan;
  const EVERY = 4000;
  const known = new Set();
  let since = null, timer = null, tag = null;
  const state = document.querySelector("[data-live-state]");
  const sound = document.querySelector("[data-sound]");

  try { if (sound) sound.checked = localStorage.getItem("jiayuan_sound") === "1"; } catch { /* no storage: silent */ }
  sound?.addEventListener("change", () => {
    try { localStorage.setItem("jiayuan_sound", sound.checked ? "1" : "0"); } catch { /* for this page alone */ }
    if (sound.checked) ring();
  });

  let audio = null;
  function ring() {
    audio ??= new AudioContext();
    audio.resume();
    [660, 880].forEach((tone, place) => {
      const voice = audio.createOscillator(), volume = audio.createGain();
      const from = audio.currentTime + place * 0.18;
      voice.frequency.value = tone;
      volume.gain.setValueAtTime(0.2, from);
      volume.gain.exponentialRampToValueAtTime(0.001, from + 0.3);
      voice.connect(volume).connect(audio.destination);
      voice.start(from);
      voice.stop(from + 0.3);
    });
  }

  async function look() {
    clearTimeout(timer);
    if (document.hidden) return;
    const first = since === null;
    const address = `/admin/api/v1/events${first ? "" : `?since=${encodeURIComponent(since)}`}`;
    const answer = await send("GET", address, { background: true, headers: tag ? { "If-None-Match": tag } : {} });
    if (answer.ok) take(answer, first);
    if (state) state.textContent = answer.ok || answer.status === 304 ? say("实时更新中") : say("暂停更新");
    timer = setTimeout(look, EVERY);
  }

  function take(answer, first) {
    const { items, unread, next } = answer.data;
    const fresh = items.filter((one) => !known.has(`${one.ticket_id} ${one.seq}`));
    for (const one of fresh) known.add(`${one.ticket_id} ${one.seq}`);
    tag = next === since ? answer.etag : null;  // another question has another answer
    since = next;
    const bell = document.querySelector("[data-unread]");
    if (bell) {
      bell.textContent = unread < 100 ? unread : "99+";
      bell.hidden = !unread;
    }
    if (first || !fresh.length) return;
    for (const part of document.querySelectorAll("[data-live-part]")) htmx.trigger(part, "refresh");
    const come = fresh.filter((one) => one.is_new);
    if (come.length) {
      toast(`${say("新工单")} ${come.map((one) => one.number).join("、")}`, "info");
      if (sound?.checked) ring();
    }
  }

  document.addEventListener("visibilitychange", look);
  look();
})();
