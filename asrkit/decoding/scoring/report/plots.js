"use strict";
// Bar charts as inline SVG, drawn at the width that their card has.

function svg(tag, attributes = {}, text = null) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== null) node.textContent = text;
  return node;
}

/** Round numbers from low to high, about four of them. */
function ticks(low, high) {
  const rough = (high - low) / 4 || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((times) => times * power).find((size) => size >= rough);
  const found = [];
  for (let n = Math.floor(low / step); n <= Math.ceil(high / step - 1e-9); n++) found.push(n * step);
  return found;
}

const PLOT = { height: 190, left: 34, right: 4, top: 14, bottom: 22 };

/**
 * Draw bars.
 * chart: {title, names, series: [{style, values}], label(i), choose(i) or null, ticks: bool}
 */
function drawBars(host, chart) {
  const width = Math.max(260, host.clientWidth);
  const slanted = chart.ticks && chart.names.some((name) => name.length > 8);
  const bottom = !chart.ticks ? 8 : slanted ? 64 : PLOT.bottom;
  const values = chart.series.flatMap((series) => series.values).filter(Number.isFinite);
  const marks = ticks(Math.min(0, ...values), Math.max(0, ...values));
  const [low, high] = [marks[0], marks.at(-1)];
  const y = (value) =>
    PLOT.top + ((high - value) / (high - low || 1)) * (PLOT.height - PLOT.top - PLOT.bottom);
  const slot = (width - PLOT.left - PLOT.right) / chart.names.length;
  const x = (place) => PLOT.left + place * slot;
  const height = PLOT.height - PLOT.bottom + bottom;
  const drawing = svg("svg", { viewBox: `0 0 ${width} ${height}`, height, role: "img" });
  drawing.append(svg("title", {}, chart.title));
  const digits = high - low < 4 ? 1 : 0;
  for (const mark of marks) {
    drawing.append(
      svg("line", { class: "grid", x1: PLOT.left, x2: width - PLOT.right, y1: y(mark), y2: y(mark) }),
      svg("text", { x: PLOT.left - 6, y: y(mark) + 4, "text-anchor": "end" }, mark.toFixed(digits)),
    );
  }
  chart.names.forEach((name, place) => {
    drawing.append(...slotShapes(chart, place, x(place), slot, y));
    if (!chart.ticks) return;
    const [middle, line] = [x(place) + slot / 2, PLOT.height - PLOT.bottom + 14];
    const turn = slanted ? { transform: `rotate(-35 ${middle} ${line})`, "text-anchor": "end" } : { "text-anchor": "middle" };
    drawing.append(svg("text", { x: middle, y: line, ...turn }, name.length > 14 ? name.slice(0, 13) + "…" : name));
  });
  drawing.append(svg("line", { class: "axis", x1: PLOT.left, x2: width - PLOT.right, y1: y(0), y2: y(0) }));
  host.replaceChildren(drawing);
  follow(host, drawing, chart, x, slot, height);
}

/** The bars of one name, side by side, or a bar and a mark where it is narrow. */
function slotShapes(chart, place, left, slot, y) {
  const shapes = [];
  const side = chart.series.length === 1 || slot >= 22;
  const gap = slot > 6 ? Math.max(slot * 0.15, (slot - 90) / 2) : 0;
  const width = (slot - 2 * gap) / (side ? chart.series.length : 1);
  chart.series.forEach((series, number) => {
    const value = series.values[place];
    if (!Number.isFinite(value)) return;
    const style = typeof series.style === "function" ? series.style(value) : series.style;
    const start = left + gap + (side ? number * width : 0);
    if (!side && number > 0) {
      shapes.push(svg("rect", { class: slot > 4 ? `${style} dash` : style, x: start, y: y(value) - 1.5, width: Math.max(width, 2), height: 3 }));
      return;
    }
    const [top, end] = [y(Math.max(value, 0)), y(Math.min(value, 0))];
    shapes.push(svg("rect", { class: style, x: start, y: top, width: Math.max(width - 0.5, 1), height: end - top }));
    if (width >= 24) {
      const above = value >= 0 ? top - 3 : end + 11;
      const text = value.toFixed(Math.abs(value) < 10 ? 1 : 0);
      shapes.push(svg("text", { class: "value", x: start + width / 2, y: above, "text-anchor": "middle" }, text));
    }
  });
  return shapes;
}

/** Say below the chart what the pointer is at; choose it with a click. */
function follow(host, drawing, chart, x, slot, height) {
  const reading = el("p", { class: "reading" });
  const over = svg("rect", { class: "over", y: PLOT.top, width: Math.max(slot, 1), height: 0 });
  drawing.append(over);
  host.append(reading);
  const placeAt = (event) => {
    const box = drawing.getBoundingClientRect();
    const across = ((event.clientX - box.left) / box.width) * drawing.viewBox.baseVal.width;
    const place = Math.floor((across - PLOT.left) / slot);
    return place >= 0 && place < chart.names.length ? place : null;
  };
  drawing.addEventListener("pointermove", (event) => {
    const place = placeAt(event);
    over.setAttribute("height", place === null ? 0 : PLOT.height - PLOT.top - PLOT.bottom);
    if (place === null) return;
    over.setAttribute("x", x(place));
    reading.textContent = chart.label(place);
  });
  if (!chart.choose) return;
  drawing.classList.add("clickable");
  drawing.addEventListener("click", (event) => {
    const place = placeAt(event);
    if (place !== null) chart.choose(place);
  });
}

/** A dot with its interval on an axis that all rows of a table share. */
function drawInterval(system, low, high, style) {
  const x = (value) => 4 + ((value - low) / (high - low || 1)) * 112;
  const drawing = svg("svg", { viewBox: "0 0 120 16", height: 16, "aria-hidden": "true", style: "width:120px" });
  drawing.append(
    svg("line", { class: "whisker", x1: x(system.low), x2: x(system.high), y1: 8, y2: 8 }),
    svg("line", { class: "whisker", x1: x(system.low), x2: x(system.low), y1: 4, y2: 12 }),
    svg("line", { class: "whisker", x1: x(system.high), x2: x(system.high), y1: 4, y2: 12 }),
    svg("circle", { class: style, cx: x(system.rate), cy: 8, r: 4 }),
  );
  return drawing;
}
