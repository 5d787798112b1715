// Sorts tables, says what lies under the pointer, saves drawings. The page reads well without it.
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

// Paper cannot be unfolded.
window.addEventListener("beforeprint", () => { for (const folded of document.querySelectorAll("details")) folded.open = true; });
