// A chart in SVG: axes, and marks in the units of the axes. It is drawn anew whenever something changes.
"use strict";
const Plot = (() => {
  const SPACE = "http://www.w3.org/2000/svg";
  const LETTER = 7.2; // width of a digit in the axes' type, in pixels

  function element(parent, name, attributes = {}, text = "") {
    const made = document.createElementNS(SPACE, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.textContent = text;
    return parent.appendChild(made);
  }

  /** Round numbers that divide an interval into about `count` parts. */
  function ticks(low, high, count) {
    const rough = (high - low) / count, power = 10 ** Math.floor(Math.log10(rough));
    const step = power * [1, 2, 5, 10].find((times) => power * times >= rough * 0.999);
    const first = Math.ceil(low / step - 1e-9), last = Math.floor(high / step + 1e-9);
    return Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
  }

  /** A number as C's %.6g writes it, or with fewer digits. */
  function text(value, digits = 6) {
    if (!Number.isFinite(value)) return value > 0 ? "inf" : value < 0 ? "-inf" : "nan";
    if (value === 0) return "0";
    const [mantissa, exponent] = value.toExponential(digits - 1).split("e").map(Number);
    if (exponent >= -4 && exponent < digits) return String(Number(value.toPrecision(digits)));
    const size = String(Math.abs(exponent)).padStart(2, "0");
    return `${mantissa}e${exponent < 0 ? "-" : "+"}${size}`;
  }

  /**
   * An empty chart in a box.
   * @param box the element that it fills.
   * @param options x, y: ends of the axes; xName, yName: their names; percent: whether y is a share; counted: whether x has whole numbers only; right: name of a
   *   second axis from 0 to 100 %; small: whether to leave out what has no room; square: one unit is as long on both.
   */
  function chart(box, { x, y, xName, yName, percent = false, counted = false, right = "", small = false, square = false }) {
    box.replaceChildren();
    const width = box.clientWidth, height = box.clientHeight;
    const label = (value) => (percent ? `${text(100 * value, 3)}\u2009%` : text(value, 3));
    const longest = Math.max(...ticks(...y, small ? 3 : 5).map((at) => label(at).length));
    const left = Math.max(small ? 44 : 54, 10 + LETTER * longest), top = 20, bottom = xName ? 40 : 24, edge = right ? 46 : 12;
    const whole = element(box, "svg", { width, height, "aria-hidden": "true" });
    const w = Math.max(width - left - edge, 10), h = Math.max(height - top - bottom, 10);
    if (square) [x, y] = even(x, y, w / h);
    const px = (value) => ((value - x[0]) / (x[1] - x[0])) * w;
    const py = (value) => h - ((value - y[0]) / (y[1] - y[0])) * h;
    for (const at of ticks(...y, small ? 3 : 5)) {
      element(whole, "line", { class: "grid", x1: left, x2: left + w, y1: top + py(at), y2: top + py(at) });
      element(whole, "text", { x: left - 6, y: top + py(at) + 4, "text-anchor": "end" }, label(at));
    }
    for (const at of ticks(...x, small ? 4 : Math.max(3, Math.min(8, w / 70)))) {
      if (counted && !Number.isInteger(at)) continue;
      const half = (LETTER * text(at, 3).length) / 2; // the last one would leave the chart
      element(whole, "text", { x: Math.min(left + px(at), width - half), y: top + h + 17, "text-anchor": "middle" }, text(at, 3));
    }
    element(whole, "line", { class: "axis", x1: left, x2: left + w, y1: top + h, y2: top + h });
    element(whole, "text", { class: "name", x: left + w / 2, y: height - 4, "text-anchor": "middle" }, xName);
    element(whole, "text", { class: "name", x: 2, y: 12 }, yName);
    if (right) {
      element(whole, "text", { class: "name", x: width - 2, y: 12, "text-anchor": "end" }, right);
      for (const share of [0, 0.5, 1]) {
        const place = { x: left + w + 6, y: top + h - share * h * 0.96 + 4 };
        element(whole, "text", place, `${100 * share}\u2009%`);
      }
    }
    const inner = element(whole, "svg", { x: left, y: top, width: w, height: h, class: "marks" });
    const path = (points, close) =>
      points.map(([a, b], i) => `${i ? "L" : "M"}${px(a).toFixed(2)} ${py(b).toFixed(2)}`).join("") + (close ? "Z" : "");
    return {
      inner, x, y, px, py, w, h, left, top, whole,
      curve: (points, look) => element(inner, "path", { d: path(points), fill: "none", ...look }),
      shape: (points, look) => element(inner, "path", { d: path(points, true), ...look }),
      dot: ([a, b], r, look) => element(inner, "circle", { cx: px(a), cy: py(b), r, ...look }),
      segment: ([a, b], [c, d], look) => element(inner, "line", { x1: px(a), y1: py(b), x2: px(c), y2: py(d), ...look }),
      words: ([a, b], shift, content, look = {}) =>
        element(inner, "text", { x: px(a) + shift[0], y: py(b) + shift[1], ...look }, content),
      mark: (name, attributes, content) => element(inner, name, attributes, content),
    };
  }

  /** Ends of two axes, the shorter one widened until a unit is as long on both. */
  function even(x, y, ratio) {
    const across = x[1] - x[0], up = y[1] - y[0];
    if (across / up > ratio) return [x, [y[0], y[0] + across / ratio]];
    return [[x[0], x[0] + up * ratio], y];
  }

  /** Evenly spaced numbers, both ends among them. */
  const spaced = (low, high, count) =>
    Array.from({ length: count }, (_, i) => low + ((high - low) * i) / (count - 1));

  return { chart, spaced, text };
})();
