// Two independent units of the law: its density where both fire, its mass on the axes and at the origin, the l_p balls.
"use strict";
const Plane = (() => {
  const { spaced } = Plot, PAIRS = 300, RINGS = 10, STRIPS = 40;

  /** The chart, in a box; TONES and LOOKS are those of the laws by name. */
  function draw(box, laws, ends, seed, { TONES, LOOKS }) {
    const radii = laws.map(({ law }) => Law.ballRadius(law, 0.9));
    const low = Math.min(ends[0], ...laws.map(({ law }, i) => law.loc - 1.05 * radii[i]));
    const high = Math.max(ends[1], ...laws.map(({ law }, i) => law.loc + 1.05 * radii[i]));
    const plot = Plot.chart(box, {
      x: [low, high], y: [low, high], xName: "first unit", yName: "second unit", square: true,
    });
    const corner = { x: plot.px(0), y: 0, width: plot.w - plot.px(0), height: plot.py(0) };
    plot.mark("svg", { ...corner, id: "quadrant", overflow: "hidden" });
    laws.forEach((entry, i) => {
      rings(plot, plot.inner.querySelector("#quadrant"), entry, TONES[entry.name]);
      for (const share of [0.5, 0.9]) {
        plot.shape(ball(entry.law, Law.ballRadius(entry.law, share)), { ...LOOKS[entry.name], fill: "none", "stroke-width": 1.5, "stroke-dasharray": i ? "2 3" : "6 4" });
      }
    });
    for (const end of [[plot.x[1], 0], [0, plot.y[1]]]) plot.segment([0, 0], end, { stroke: "var(--quiet)" });
    laws.forEach((entry, i) => drawAxesMass(plot, entry, i, high, TONES[entry.name]));
    laws.forEach((entry, i) => drawPairs(plot, entry, seed, i ? TONES[entry.name] : "var(--ink)"));
  }

  /** Points on the ball of radius r around (loc, loc) in the l_p norm. */
  function ball({ p, loc }, r) {
    return spaced(0, 2 * Math.PI, 161).map((angle) => {
      const part = (v) => loc + r * Math.sign(v) * Math.abs(v) ** (2 / p);
      return [part(Math.cos(angle)), part(Math.sin(angle))];
    });
  }

  /** The density of both units firing: its level sets are l_p balls, of which the quadrant shows a part. */
  function rings(plot, quadrant, { law }, fill) {
    const m = law.loc / law.scale, least = m < 0 ? (2 * (-m) ** law.p) / law.p : 0;
    for (let k = 1; k <= RINGS; k++) {
      const r = law.scale * (law.p * (least + 0.6 * k)) ** (1 / law.p);
      const points = ball(law, r).map(([a, b]) => `${(plot.px(a) - plot.px(0)).toFixed(1)},${plot.py(b).toFixed(1)}`);
      const shape = document.createElementNS("http://www.w3.org/2000/svg", "polygon");
      shape.setAttribute("points", points.join(" "));
      shape.setAttribute("fill", fill);
      shape.setAttribute("opacity", 0.08);
      quadrant.append(shape);
    }
  }

  /** On an axis one unit fires: its density as the strength of a band; the origin's mass as the area of a disc. */
  function drawAxesMass(plot, { law, figures }, i, high, fill) {
    const step = high / STRIPS, peak = Math.max(Law.density(law, Math.max(law.loc, 0)), 1e-300);
    for (let k = 0; k < STRIPS; k++) {
      const opacity = Math.min(Law.density(law, (k + 0.5) * step) / peak, 1) * 0.85;
      if (opacity < 0.01) continue;
      const [from, to] = [k * step, (k + 1) * step], thick = 6, gap = 1 + 7 * i;
      plot.mark("rect", { x: plot.px(from), y: plot.py(0) + gap, width: plot.px(to) - plot.px(from), height: thick, fill, opacity });
      plot.mark("rect", { x: plot.px(0) - gap - thick, y: plot.py(to), width: thick, height: plot.py(from) - plot.py(to), fill, opacity });
    }
    plot.mark("circle", { cx: plot.px(0), cy: plot.py(0), r: 1 + 22 * figures.zero, fill, opacity: i ? 0.55 : 0.75 });
  }

  function drawPairs(plot, { law }, seed, fill) {
    const draws = Draws.standardDraws(law.p, seed + 1000, 2 * PAIRS).map((t) => Math.max(law.loc + law.scale * t, 0));
    for (let k = 0; k < PAIRS; k++) {
      const [a, b] = [draws[2 * k], draws[2 * k + 1]];
      if (a || b) plot.dot([a, b], 2, { fill, opacity: 0.55 });
    }
  }

  return { draw };
})();
