/* The page of a large screen: takes the token from its address, reads its figures anew, says how old they are. */
"use strict";

(() => {
  const words = JSON.parse(document.getElementById("script-words").textContent);
  const say = (text) => words[text] || text;
  const EVERY = 20000;
  const asks = document.body.dataset.asks;
  const ahead = Date.parse(document.body.dataset.now) - Date.now();
  const one = (name) => document.querySelector(`[data-${name}]`);
  const time = (at) => new Date(at).toLocaleTimeString("zh-CN",
    { hour: "2-digit", minute: "2-digit", hour12: false, timeZone: "Asia/Shanghai" });

  /* The token stands behind # and goes into a cookie that no script reads; the address keeps nothing of it. */
  async function pair() {
    const token = decodeURIComponent(location.hash.slice(1));
    if (!token) return;
    const state = one("pairing");
    if (state) state.textContent = say("正在授权……");
    let answer;
    try {
      answer = await fetch("/admin/api/v1/display-session", {
        method: "POST",
        headers: { "Content-Type": "application/json", "Accept-Language": document.documentElement.lang },
        body: JSON.stringify({ token }),
      });
    } catch {
      if (state) state.textContent = say("连不上服务器，正在重试……");
      setTimeout(pair, 5000);
      return;
    }
    history.replaceState(null, "", location.pathname);
    if (answer.ok) location.reload();
    else if (state) state.textContent = say("这个网址不对，或者已经撤销。请重新要一个。");
  }

  function tell(text) {
    const line = one("lost");
    line.hidden = !text;
    line.textContent = text;
  }

  function aged() {
    const shown = document.querySelector("[data-as-of]");
    if (shown) one("state").textContent = `${say("数据时间")} ${time(shown.dataset.asOf)}`;
    return shown ? time(shown.dataset.asOf) : "";
  }

  async function look() {
    let answer = null;
    try {
      answer = await fetch(asks, {
        headers: { "HX-Request": "true", "X-Background": "1", "Accept-Language": document.documentElement.lang },
        cache: "no-store",
        signal: AbortSignal.timeout(15000),
      });
    } catch { /* said below */ }
    if (answer?.ok) {
      const found = new DOMParser().parseFromString(await answer.text(), "text/html").body.childNodes;
      one("figures").replaceChildren(...found);
      document.dispatchEvent(new CustomEvent("htmx:afterSettle"));  // charts are drawn anew
      tell("");
      aged();
    } else if (answer?.status === 401 || answer?.status === 403) {
      one("figures").replaceChildren();
      one("state").textContent = "";
      tell(say("本屏的授权已失效，不再显示数字。请联系街道或社区工作人员重新授权。"));
    } else {
      const at = aged();
      tell(`${say("连接已断开，正在重试。")}${at ? `${say("下面的数据时间是")} ${at}` : ""}`);
    }
    setTimeout(look, EVERY);
  }

  function clock() {
    one("clock").textContent = time(Date.now() + ahead);
  }

  window.addEventListener("hashchange", pair);
  pair();
  if (!asks) return;
  aged();
  clock();
  setInterval(clock, 5000);
  setTimeout(look, EVERY);
})();
