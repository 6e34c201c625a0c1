// Draw every figure in the colours of the page's theme, and again when theme, width or medium change.
"use strict";
(() => {
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const root = document.documentElement;
  const options = { displayModeBar: false, responsive: false, doubleClick: false };

  const coloured = (value, style) => {
    if (typeof value === "string") {
      const name = /^var\((--[a-z0-9-]+)\)$/.exec(value);
      return name ? style.getPropertyValue(name[1]).trim() : value;
    }
    if (Array.isArray(value)) return value.map((each) => coloured(each, style));
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, coloured(each, style)]));
    }
    return value;
  };

  const signs = {
    circle: "●", "circle-open": "○", diamond: "◆", star: "★", square: "■", "triangle-up": "▲",
    "line-ns-open": "┃", x: "✖", cross: "✚",
  };

  const sign = (trace) => {
    if (trace.type === "bar" || trace.mode === "none") return "■";
    if (trace.error_x && trace.marker && trace.marker.size <= 1) return "━";
    if (!trace.mode || trace.mode.includes("markers")) {
      const symbol = (trace.marker || {}).symbol;
      return signs[(Array.isArray(symbol) ? symbol[0] : symbol) || "circle"] || "●";
    }
    return trace.line && trace.line.dash ? "╍" : trace.line && trace.line.width > 6 ? "▆" : "━";
  };

  const words = (text) => text.replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&amp;/g, "&");

  const legend = (spot, data, layout) => {
    const named = layout.showlegend === false ? [] : data.filter((t) => t.name && t.showlegend !== false);
    const list = spot.previousElementSibling;
    list.hidden = named.length < 2;
    list.replaceChildren(...named.map((trace) => {
      const item = document.createElement("li");
      const mark = document.createElement("span");
      const colour = [(trace.marker || {}).color, (trace.line || {}).color].find((c) => typeof c === "string");
      mark.textContent = sign(trace);
      mark.style.color = colour || style().getPropertyValue("--accent");
      mark.setAttribute("aria-hidden", "true");
      item.append(mark, words(trace.name));
      return item;
    }));
  };

  const style = () => getComputedStyle(root);
  let widest = Infinity;

  const draw = () => {
    const colours = style();
    for (const [place, figure] of Object.entries(figures)) {
      const spot = document.getElementById(place);
      const { data, layout } = coloured(figure, colours);
      legend(spot, data, layout);
      Plotly.react(spot, data, { ...layout, showlegend: false, width: Math.min(spot.clientWidth, widest) }, options);
    }
  };

  const printed = 680; // what fits on A4 and Letter
  const opened = [];
  addEventListener("beforeprint", () => {
    root.classList.add("print");
    widest = printed;
    for (const each of document.querySelectorAll("[data-figure] details:not([open])")) {
      each.open = true;
      opened.push(each);
    }
    draw();
  });
  addEventListener("afterprint", () => {
    root.classList.remove("print");
    widest = Infinity;
    for (const each of opened.splice(0)) each.open = false;
    draw();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);

  let width = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth === width) return;
    width = innerWidth;
    draw();
  });
  draw();
})();
