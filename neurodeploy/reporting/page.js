// Sorts tables, says what lies under the pointer, saves drawings, lets choose samples and neurons.
// The page reads well without it.
"use strict";

const number = (text) => {
  const found = text.replace(/[,\u202f]/g, "").replace(/\u2212/g, "-").match(/^[-+]?[\d.]+(e[-+]?\d+)?/i);
  return found ? parseFloat(found[0]) : null;
};

for (const head of document.querySelectorAll("thead th")) {
  if (!head.textContent.trim()) continue;
  const table = head.closest("table"), column = [...head.parentNode.children].indexOf(head);
  head.tabIndex = 0;
  head.classList.add("sortable");
  head.title = "Sort by this column";
  const sort = () => {
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of head.parentNode.children) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const rows = [...table.tBodies[0].rows];
    const key = (row) => row.cells[column].textContent.trim();
    rows.sort((a, b) => {
      const x = number(key(a)), y = number(key(b));
      const order = x !== null && y !== null ? x - y : (x === null) - (y === null) || key(a).localeCompare(key(b));
      return down ? -order : order;
    });
    table.tBodies[0].append(...rows);
  };
  head.addEventListener("click", sort);
  head.addEventListener("keydown", (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); sort(); } });
}

const tip = document.createElement("div");
tip.className = "tip";
tip.hidden = true;
document.body.append(tip);

const say = (panel, event, inside) => {
  const x = panel.x[0] + inside[0] * (panel.x[1] - panel.x[0]);
  if (!panel.series.length) {
    const y = panel.y[0] + (1 - inside[1]) * (panel.y[1] - panel.y[0]);
    return [`${panel.x_name} ${Math.round(x)}`, `${panel.y_name} ${Math.round(y)}`];
  }
  const xs = panel.series[0][1];
  let at = 0;
  xs.forEach((value, i) => { if (Math.abs(value - x) < Math.abs(xs[at] - x)) at = i; });
  const lines = [`${panel.x_name} ${xs[at]}`];
  for (const [name, , ys] of panel.series) lines.push(`${name}: ${ys[at] === null ? "unknown" : ys[at].toLocaleString("en")}`);
  return lines;
};

for (const figure of document.querySelectorAll("figure")) {
  const drawing = figure.querySelector("svg");
  const panels = JSON.parse(figure.dataset.hover || "[]");
  drawing.addEventListener("pointermove", (event) => {
    const box = drawing.getBoundingClientRect();
    const place = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    tip.hidden = true;
    for (const panel of panels) {
      const inside = [(place[0] - panel.box[0]) / panel.box[2], (place[1] - panel.box[1]) / panel.box[3]];
      if (inside.some((share) => share < 0 || share > 1)) continue;
      tip.replaceChildren(...say(panel, event, inside).map((line) => {
        const row = document.createElement("div");
        row.textContent = line;
        return row;
      }));
      tip.hidden = false;
      const left = Math.min(event.clientX + 14, window.innerWidth - tip.offsetWidth - 4);
      tip.style.left = `${Math.max(4, left)}px`;
      tip.style.top = `${Math.max(4, event.clientY - tip.offsetHeight - 10)}px`;
    }
  });
  drawing.addEventListener("pointerleave", () => { tip.hidden = true; });
  const save = document.createElement("button");
  save.type = "button";
  save.textContent = "Save drawing (SVG)";
  save.addEventListener("click", () => {
    const copy = drawing.cloneNode(true), style = getComputedStyle(document.documentElement);
    copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
    for (const name of ["page", "ink", "muted", "rule", "panel", "track", "bad", "good", "doubt", "series-1", "series-2", "series-3", "series-4", "series-5", "series-6"])
      copy.style.setProperty(`--${name}`, style.getPropertyValue(`--${name}`));
    copy.style.color = style.getPropertyValue("--ink");
    copy.style.background = style.getPropertyValue("--page");
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([new XMLSerializer().serializeToString(copy)], { type: "image/svg+xml" }));
    link.download = `${figure.closest("section").id}-${[...document.querySelectorAll("figure")].indexOf(figure) + 1}.svg`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
  figure.append(save);
}

// One of several rasters, and one neuron of it. Shares of a drawing are those of data-hover.
const element = (name, attributes, ...children) => {
  const made = document.createElement(name);
  Object.assign(made, attributes);
  made.append(...children);
  return made;
};

for (const choice of document.querySelectorAll(".choice")) {
  const figures = [...choice.querySelectorAll("figure")];
  const sent = figures.map((figure) => JSON.parse(figure.dataset.sent));
  const sample = element("select", {}, ...figures.map((figure) => element("option", { textContent: figure.dataset.title })));
  const population = element("select", {}, element("option", { textContent: "none", value: "" }),
    ...sent[0].map((panel) => element("option", { textContent: panel.name, value: panel.name })));
  const neuron = element("input", { type: "number", min: 0, value: 0 });
  const said = element("output", {});
  const show = () => {
    figures.forEach((figure, i) => { figure.hidden = i !== sample.selectedIndex; });
    for (const old of choice.querySelectorAll(".picked")) old.remove();
    const at = population.selectedIndex - 1;
    neuron.disabled = at < 0;
    if (at < 0) { said.textContent = "Choose a population, or click a mark."; return; }
    const figure = figures[sample.selectedIndex], drawing = figure.querySelector("svg");
    const panel = sent[sample.selectedIndex][at], place = JSON.parse(figure.dataset.hover)[at];
    const last = Math.floor((panel.size - 1 - panel.first) / panel.every);
    const nearest = Math.round((Number(neuron.value) - panel.first) / panel.every);
    const chosen = panel.first + panel.every * Math.min(last, Math.max(0, nearest));
    Object.assign(neuron, { min: panel.first, max: panel.size - 1, step: panel.every, value: chosen });
    const box = drawing.viewBox.baseVal;
    const x = (step) => box.x + box.width * (place.box[0] + place.box[2] * (step - place.x[0]) / (place.x[1] - place.x[0]));
    const y = (row) => box.y + box.height * (place.box[1] + place.box[3] * (1 - (row - place.y[0]) / (place.y[1] - place.y[0])));
    const draw = (name, attributes) => {
      const made = document.createElementNS("http://www.w3.org/2000/svg", name);
      for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
      return made;
    };
    const group = draw("g", { class: "picked" }), height = Math.max(8, Math.abs(y(0) - y(1)));
    const band = { x: x(place.x[0]), y: y(chosen) - height / 2, width: x(place.x[1]) - x(place.x[0]), height };
    group.append(draw("rect", { ...band, fill: "var(--page)" }), draw("rect", { ...band, fill: "var(--series-2)", "fill-opacity": 0.3 }));
    const lines = panel.every > 1 ? [`1 neuron in ${panel.every} is drawn`] : [], wide = Math.max(2, Math.min(6, 0.7 * (x(1) - x(0))));
    Object.entries(panel.sent).forEach(([label, neurons], i, sides) => {
      const steps = neurons[chosen] || [], part = height / sides.length;
      for (const step of steps)
        group.append(draw("rect", { x: x(step) - wide / 2, y: y(chosen) - height / 2 + i * part, width: wide, height: part, fill: `var(--series-${i ? 5 : 1})` }));
      const shown = steps.slice(0, 40).join(", ") + (steps.length > 40 ? ", ..." : "");
      lines.push(`${label || "sent"}: ${steps.length} messages${steps.length ? `, steps ${shown}` : ""}`);
    });
    drawing.append(group);
    said.textContent = lines.join("; ");
  };
  for (const field of [sample, population, neuron]) field.addEventListener("change", show);
  figures.forEach((figure, i) => figure.querySelector("svg").addEventListener("click", (event) => {
    const box = figure.querySelector("svg").getBoundingClientRect();
    const place = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    JSON.parse(figure.dataset.hover).forEach((panel, at) => {
      const inside = [(place[0] - panel.box[0]) / panel.box[2], 1 - (place[1] - panel.box[1]) / panel.box[3]];
      if (inside.some((share) => share < 0 || share > 1)) return;
      population.selectedIndex = at + 1;
      neuron.max = sent[i][at].size - 1;
      const row = Math.round(panel.y[0] + inside[1] * (panel.y[1] - panel.y[0]));
      neuron.value = Math.min(sent[i][at].size - 1, Math.max(0, row));
      show();
    });
  }));
  const picked = JSON.parse(choice.dataset.picked);
  if (picked) { population.value = picked[0]; neuron.value = picked[1]; }
  choice.prepend(element("p", { className: "pick" },
    element("label", {}, "Sample ", sample), element("label", {}, "Population ", population),
    element("label", {}, "Neuron ", neuron), said));
  show();
}

// Paper cannot be unfolded.
window.addEventListener("beforeprint", () => { for (const folded of document.querySelectorAll("details")) folded.open = true; });
