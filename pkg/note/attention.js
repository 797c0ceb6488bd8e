"use strict";
for (const figure of document.querySelectorAll("figure.attention")) {
  const look = figure.querySelector(".look");
  if (!look) continue; // its maps are in the CSV only
  const data = JSON.parse(figure.querySelector("script").textContent);
  const make = (tag, properties, ...children) => {
    const e = Object.assign(document.createElement(tag), properties);
    e.append(...children);
    return e;
  };
  const choice = (name, options, at) => {
    const select = make("select", {}, ...options.map((text, i) => make("option", { value: i, selected: i === at }, text)));
    select.addEventListener("change", () => show());
    return { select, label: make("label", {}, name + " ", select) };
  };
  const n = data.tokens.length, each = n * (n + 1) / 2;
  let values, chosen = n - 1;
  const one = (arm, layer, head, query, key) => {
    const b = values[((arm * data.layers + layer) * data.heads + head) * each + query * (query + 1) / 2 + key] / 255;
    return data.scale * b * b;
  };
  const heads = data.mean ? ["mean"] : ["mean", ...Array(data.heads).keys()].map(String);
  const layer = choice("Layer", [...Array(data.layers).keys()].map(String), Math.floor(data.layers / 2));
  const head = choice("Head", heads, 0);
  const side = choice("Shade", ["what the token attends to", "what attends to the token"], 0);
  const prob = (arm, query, key) => {
    const l = +layer.select.value, h = +head.select.value - 1;
    if (h >= 0) return one(arm, l, h, query, key);
    let sum = 0;
    for (let i = 0; i < data.heads; i++) sum += one(arm, l, i, query, key);
    return sum / data.heads;
  };
  const panels = data.arms.map((name, arm) => {
    const tokens = data.tokens.map((text, i) => {
      const b = make("button", { type: "button", className: "token", tabIndex: arm ? -1 : 0 }, text);
      const choose = () => { chosen = i; show(); };
      b.addEventListener("pointerenter", choose);
      b.addEventListener("focus", choose);
      b.addEventListener("keydown", e => {
        const to = { ArrowRight: i + 1, ArrowDown: i + 1, ArrowLeft: i - 1, ArrowUp: i - 1, Home: 0, End: n - 1 }[e.key];
        if (to === undefined || !tokens[to]) return;
        e.preventDefault();
        tokens[to].focus();
      });
      return b;
    });
    const say = make("p", { className: "say" });
    if (!arm) say.setAttribute("role", "status");
    const box = make("div", { className: "panel" }, make("h4", {}, name), make("div", {}, ...tokens), say);
    return { arm, tokens, say, box };
  });
  const percent = v => (100 * v).toFixed(1) + " %";
  const show = () => {
    const from = side.select.value === "0";
    for (const { arm, tokens, say } of panels) {
      const found = [];
      tokens.forEach((b, i) => {
        const unseen = from ? i > chosen : i < chosen;
        const v = unseen ? 0 : from ? prob(arm, chosen, i) : prob(arm, i, chosen);
        b.classList.toggle("unseen", unseen);
        b.classList.toggle("chosen", i === chosen);
        b.style.setProperty("--a", Math.min(1, Math.sqrt(v)).toFixed(3));
        b.title = unseen ? "cannot be seen" : percent(v);
        if (!unseen) found.push([v, i]);
      });
      found.sort((a, b) => b[0] - a[0]);
      say.textContent = chosen + " " + data.tokens[chosen] + (from ? " → " : " ← ") +
        found.slice(0, 3).map(([v, i]) => i + " " + data.tokens[i] + " " + percent(v)).join(" · ");
    }
  };
  const start = buffer => {
    values = new Uint8Array(buffer);
    look.append(make("div", { className: "controls" }, layer.label, head.label, side.label), make("div", { className: "panels" }, ...panels.map(p => p.box)));
    look.hidden = false;
    show();
  };
  const zipped = Uint8Array.from(atob(data.data), c => c.charCodeAt(0));
  if (window.DecompressionStream) {
    new Response(new Blob([zipped]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer().then(start);
  } else {
    figure.querySelector("details").open = true;
  }
}
