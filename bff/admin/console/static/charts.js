/* Draws the figures of a page: <figure class="chart" data-chart><script type="application/json">{…}</script></figure>,
   made by the macro `chart`. {kind: "bar"|"line"|"share", across: bool, unit, labels: […], series: [{name, values}]};
   a value of null is a gap. Money comes as fen with unit "元". Beside it stands the same as a table: nobody needs the
   picture. A chart in a part that is read anew is drawn anew. */
"use strict";

(() => {
  const COLOURS = ["#1f5fae", "#d9822b", "#2f8f5b", "#8a5cc2", "#c23b4b", "#3f9fb5", "#8d7b3c", "#6b7787"];
  const IN_THE_DARK = ["#5aa2f5", "#ffb454", "#5fd08f", "#b99af0", "#ff8f85", "#6fd3ea", "#d9c56a", "#a9b6c6"];
  const NARROW = 32;  // letters across: below that a share's words have no room beside it
  const RING = 13, GAP = 6;  // there: the height of its ring in letters, and pixels between two names
  const drawn = new Set();
  const text = (value, unit) => {
    if (value === null || value === undefined) return "—";
    if (unit === "元") return `${(value / 100).toLocaleString("zh-CN", { minimumFractionDigits: 2 })} 元`;
    return `${value.toLocaleString("zh-CN")}${unit ? ` ${unit}` : ""}`;
  };
  // Drawn into the picture: as elements they would be markup with names in it that somebody typed, and with styles that
  // the content policy of the page refuses.
  const TIP = { renderMode: "richText", confine: true };
  const short = (value, unit) => {
    const number = unit === "元" ? value / 100 : value;
    return Math.abs(number) >= 10000 ? `${number / 10000} 万` : String(number);
  };

  function option(given, ink, faint, size, { clientWidth: width, clientHeight: height }) {
    const { kind, labels, series, unit, across } = given;
    const words = { color: ink, fontSize: given.size || size };
    const base = {
      color: document.documentElement.dataset.bsTheme === "dark" ? IN_THE_DARK : COLOURS,
      textStyle: words,
      animation: false,
      legend: { top: 0, type: "scroll", textStyle: words, show: kind === "share" || series.length > 1 },
    };
    if (kind === "share" && width < NARROW * size) {
      // No room for words around the ring: they stand below it, each with its share.
      const all = series[0].values.reduce((sum, value) => sum + value, 0);
      const part = new Map(labels.map((name, place) => [name, all ? (100 * series[0].values[place]) / all : 0]));
      return {
        ...base,
        legend: {
          type: "plain", orient: "vertical", left: "center", top: RING * size, show: true, itemGap: GAP,
          formatter: (name) => `${name} ${Number(part.get(name).toFixed(2))}%`,
          textStyle: { ...words, width: width - 6 * size, overflow: "truncate" },
        },
        tooltip: { ...TIP, formatter: (one) => `${one.name}：${text(one.value, unit)}（${one.percent}%）` },
        series: [{
          type: "pie", radius: [3 * size, 5.8 * size], center: ["50%", (RING * size) / 2], label: { show: false },
          data: labels.map((name, place) => ({ name, value: series[0].values[place] })),
        }],
      };
    }
    if (kind === "share") {
      return {
        ...base,
        tooltip: { ...TIP, formatter: (one) => `${one.name}：${text(one.value, unit)}（${one.percent}%）` },
        series: [{
          type: "pie", radius: ["36%", "62%"], center: ["50%", "58%"],
          // At the edge, where long names have the most room; what still is too long goes on in a second line.
          label: { color: ink, fontSize: words.fontSize, formatter: "{b} {d}%", alignTo: "edge", edgeDistance: 4, overflow: "break" },
          data: labels.map((name, place) => ({ name, value: series[0].values[place] })),
        }],
      };
    }
    const names = { type: "category", data: labels, axisLabel: { ...words, hideOverlap: true }, axisTick: { show: false } };
    if (across) Object.assign(names.axisLabel, { width: width * 0.4, overflow: "break", hideOverlap: false });  // long names leave room for the bars
    const amounts = { type: "value", axisLabel: { ...words, formatter: (value) => short(value, unit) },
      splitNumber: Math.max(2, Math.min(5, Math.floor(height / words.fontSize / 4))),
      splitLine: { lineStyle: { color: faint } }, minInterval: unit === "件" ? 1 : 0 };
    return {
      ...base,
      grid: { top: series.length > 1 ? words.fontSize * 2.8 : 16, left: 8, right: 24, bottom: 8, containLabel: true },
      tooltip: { ...TIP, trigger: "axis", valueFormatter: (value) => text(value, unit) },
      xAxis: across ? amounts : names,
      yAxis: across ? { ...names, inverse: true } : amounts,
      series: series.map(({ name, values, stack }) => ({
        name, type: kind, data: values, stack, smooth: false, connectNulls: false, barMaxWidth: 36,
        symbolSize: words.fontSize / 2, lineStyle: { width: words.fontSize / 6.5 },
      })),
    };
  }

  function draw(figure) {
    const place = figure.querySelector("[data-canvas]");
    const given = JSON.parse(figure.querySelector("script").textContent);
    const style = getComputedStyle(figure);
    const picture = echarts.init(place, null, { renderer: "canvas" });
    const faint = style.borderTopColor;  // of the style sheet, as a colour that a canvas understands
    const size = Math.round(parseFloat(style.fontSize) * 0.8);
    const fit = () => {
      // All names stand below one another: as high as that takes.
      const tall = given.kind === "share" && place.clientWidth < NARROW * size;
      place.style.height = tall ? `${RING * size + given.labels.length * (1.3 * size + GAP) + size}px` : "";
      picture.resize();
      picture.setOption(option(given, style.color, faint, size, place), true);
    };
    fit();
    drawn.add({ place, picture, fit });
  }

  // Drawn in a box without a size it would stay empty for ever: drawn when it can be seen.
  const seen = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting || !target.clientWidth) continue;
      seen.unobserve(target);
      draw(target.closest("[data-chart]"));
    }
  }, { rootMargin: "2000px 0px" });  // before one gets there: a page that is printed shows them all

  function look() {
    for (const one of drawn) {
      if (one.place.isConnected) continue;
      one.picture.dispose();
      drawn.delete(one);
    }
    for (const place of document.querySelectorAll("[data-chart] [data-canvas]:empty")) seen.observe(place);
  }

  window.addEventListener("resize", () => { for (const one of drawn) one.fit(); });
  new MutationObserver(() => {
    for (const one of drawn) { one.picture.dispose(); one.place.replaceChildren(); }
    drawn.clear();
    look();
  }).observe(document.documentElement, { attributes: true, attributeFilter: ["data-bs-theme"] });
  document.addEventListener("htmx:afterSettle", look);
  look();
})();
