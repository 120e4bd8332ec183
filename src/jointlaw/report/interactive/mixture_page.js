// The page of a joint mixture: the context is moved, and the law of the target follows.
"use strict";
(() => {
  const start = JSON.parse(document.getElementById("start").textContent);
  const { law, points, names, ends, limits } = start, { text, spaced } = Plot;
  const element = (id) => document.getElementById(id);
  const SHADES = { 0.5: 0.45, 0.9: 0.2 };
  let context = start.context, joint = null;

  /** Ends of the axis of the target, wide enough for every component. */
  const targetEnds = (() => {
    const reach = law.loc.map((m, k) => [m[1], 2.5 * Math.hypot(law.scale[k][1], law.scale[k][2])]);
    const all = [...points.map(([, y]) => y), ...reach.flatMap(([m, s]) => [m - s, m + s])];
    return [Math.min(...all), Math.max(...all)];
  })();

  // Variance over all contexts does not change while the context moves.
  const overAll = spaced(...ends, 161).map((c) => [c, Mixture.figures(Mixture.given(law, c))]);

  // ---- charts ----

  function drawJoint(regions) {
    joint = Plot.chart(element("joint"), { x: ends, y: targetEnds, xName: names[0], yName: names[1] });
    for (const point of points) joint.dot(point, 1.6, { fill: "var(--counted)", opacity: 0.5 });
    law.loc.forEach((centre, k) => {
      for (const size of [1, 2]) joint.shape(ellipse(centre, law.scale[k], size), { fill: "none", stroke: "var(--law)", "stroke-width": 3 - size });
      joint.words(centre, [0, 4], String(k + 1), { "text-anchor": "middle", class: "loud" });
    });
    const line = { stroke: "var(--measured)", "stroke-width": 1.5 };
    joint.segment([context, targetEnds[0]], [context, targetEnds[1]], line);
    for (const [level, width] of [[0.9, 6], [0.5, 12]]) {
      for (const [low, high] of regions[level]) {
        joint.segment([context, low], [context, high], { stroke: "var(--measured)", "stroke-width": width, opacity: 0.75 });
      }
    }
    const grip = { x: joint.px(context) - 22, y: 0, width: 44, height: joint.h, fill: "transparent", class: "handle", id: "handle" };
    joint.mark("rect", grip);
  }

  /** Points at `size` deviations from a centre, by the Cholesky factor. */
  function ellipse([a, b], [l11, l21, l22], size) {
    return spaced(0, 2 * Math.PI, 73).map((angle) => {
      const [u, v] = [size * Math.cos(angle), size * Math.sin(angle)];
      return [a + l11 * u, b + l21 * u + l22 * v];
    });
  }

  function drawConditional(line, regions) {
    const near = line.flatMap(({ loc, scale }) => spaced(loc - 5 * scale, loc + 5 * scale, 61));
    const inside = near.filter((x) => x > targetEnds[0] && x < targetEnds[1]);
    const x = [...spaced(...targetEnds, 161), ...inside, ...regions[0.5].flat(), ...regions[0.9].flat()].sort((a, b) => a - b);
    const curve = x.map((at) => [at, Math.exp(Mixture.logDensity(line, at))]);
    const top = 1.06 * Math.max(...curve.map(([, y]) => y));
    const plot = Plot.chart(element("conditional"), { x: targetEnds, y: [0, top], xName: names[1], yName: "density" });
    for (const [level, opacity] of Object.entries(SHADES)) {
      for (const [low, high] of regions[level]) {
        const part = curve.filter(([at]) => at >= low && at <= high);
        plot.shape([[low, 0], ...part, [high, 0]], { fill: "var(--measured)", opacity });
      }
    }
    for (const part of line) {
      const own = x.map((at) => [at, Math.exp(Mixture.logPart(part, at))]);
      if (part.logWeight > Math.log(0.001)) plot.curve(own, { stroke: "var(--law)", "stroke-width": 1 });
    }
    plot.curve(curve, { stroke: "var(--measured)", "stroke-width": 2.5 });
  }

  function drawRouters(line) {
    const count = line.length, half = 0.35;
    const plot = Plot.chart(element("routers"), { x: [0.4, count + 0.6], y: [0, 1.12], xName: "component", yName: "weight", percent: true, counted: true });
    line.forEach(({ logWeight }, k) => {
      const weight = Math.exp(logWeight), x = plot.px(k + 1 - half);
      const size = { width: plot.px(k + 1 + half) - x, height: Math.max(plot.h - plot.py(weight), 1) };
      plot.mark("rect", { x, y: plot.h - size.height, ...size, fill: "var(--law)", opacity: 0.85 });
      if (count <= 8) plot.words([k + 1, weight], [0, -5], `${text(100 * weight, 3)}\u2009%`, { "text-anchor": "middle", class: "loud" });
    });
  }

  function drawVariance() {
    const noise = overAll.map(([c, { noise: value }]) => [c, value]);
    const total = overAll.map(([c, { total: value }]) => [c, value]);
    const top = 1.06 * Math.max(...total.map(([, y]) => y));
    const plot = Plot.chart(element("variance"), { x: ends, y: [0, top], xName: names[0], yName: "variance of the target" });
    plot.shape([...total, ...[...noise].reverse()], { fill: "var(--law)", opacity: 0.3 });
    plot.shape([[ends[0], 0], ...noise, [ends[1], 0]], { fill: "var(--measured)", opacity: 0.6 });
    plot.curve(total, { stroke: "var(--law)", "stroke-width": 2 });
    plot.curve(noise, { stroke: "var(--measured)", "stroke-width": 2, "stroke-dasharray": "7 4" });
    plot.segment([context, 0], [context, top], { stroke: "var(--ink)", "stroke-width": 1 });
    const inner = overAll.filter(([c]) => plot.px(c) > 100 && plot.px(c) < plot.w - 45); // clear of the other name and of the end
    const widest = inner.reduce((best, one) => (one[1].ambiguity > best[1].ambiguity ? one : best));
    plot.words([widest[0], (widest[1].noise + widest[1].total) / 2], [0, 4], "ambiguity", { "text-anchor": "middle", class: "loud" });
    plot.words([ends[0], 0], [8, -6], "noise", { class: "loud" });
  }

  // ---- numbers and texts ----

  const regionText = (intervals) => intervals.map(([low, high]) => `${text(low, 4)} to ${text(high, 4)}`).join(", ");

  function python() {
    const { logWeights, loc, scale } = law, tensor = (value) => `torch.tensor(${JSON.stringify(value)}, dtype=torch.float64)`;
    const factors = scale.map(([l11, l21, l22]) => [[l11, 0], [l21, l22]]);
    return [
      "import torch", "", "from jointlaw import JointMixture", "",
      `logits = ${tensor(logWeights)}`, `loc = ${tensor(loc)}`, `scale_tril = ${tensor(factors)}`,
      "law = JointMixture(logits, loc, scale_tril, split=1)", `after = law.given(${tensor([[context]])})`,
      "print(after.mean, after.uncertainty(), after.weights)",
      "print(after.highest_density_region(0.5), after.highest_density_region(0.9))",
    ].join("\n");
  }

  function tellNumbers(figures, regions) {
    for (const key of ["mean", "noise", "ambiguity", "total"]) element(`a-${key}-value`).textContent = text(figures[key]);
    element("a-half-value").textContent = regionText(regions[0.5]);
    element("a-most-value").textContent = regionText(regions[0.9]);
    element("python").textContent = python();
    element("command").textContent = `${start.command} --at=${context}`;
    element("address").textContent = `${location.href.split("#")[0]}#context=${context}`;
  }

  const say = (words) => {
    element("spoken").textContent = words;
    element("told").textContent = words;
  };

  const afterwards = Sharing.whenQuiet(() => {
    Sharing.setAddress(`context=${context}`);
    const line = Mixture.given(law, context), figures = Mixture.figures(line);
    const region = regionText(Mixture.highestDensity(line, 0.9));
    element("spoken").textContent =
      `Context ${text(context, 4)}: 90 % region ${region}; noise ${text(figures.noise, 3)}, ambiguity ${text(figures.ambiguity, 3)}.`;
  });

  // ---- controls ----

  const between = `between ${text(limits[0])} and ${text(limits[1])}`;
  const fits = (value) => value >= limits[0] && value <= limits[1]; // NaN does not

  const box = element("context"), bar = element("context-slider"), step = (ends[1] - ends[0]) / 400;

  const draw = Sharing.oncePerFrame(() => {
    const line = Mixture.given(law, context);
    const regions = { 0.5: Mixture.highestDensity(line, 0.5), 0.9: Mixture.highestDensity(line, 0.9) };
    if (document.activeElement !== box) box.value = context;
    if (document.activeElement !== bar) bar.value = context;
    bar.setAttribute("aria-valuetext", text(context, 4));
    tellNumbers(Mixture.figures(line), regions);
    drawJoint(regions);
    drawConditional(line, regions);
    drawRouters(line);
    drawVariance();
    document.body.dataset.drawn = `context=${context}`;
  });

  function move(value) {
    context = value;
    draw();
    afterwards();
  }

  /** A place that a hand chose, as a number that is short to write. */
  function shortened(value) {
    const unit = 10 ** (Math.floor(Math.log10(step)) - 1);
    return Number((Math.round(value / unit) * unit).toPrecision(15));
  }

  function drag(event) {
    const at = (event.clientX - element("joint").getBoundingClientRect().left - joint.left) / joint.w;
    move(shortened(ends[0] + Math.min(Math.max(at, 0), 1) * (ends[1] - ends[0])));
  }

  function fromAddress() {
    const asked = Sharing.address();
    if (!asked) return;
    const found = Sharing.number(new URLSearchParams(asked).get("context"));
    if (fits(found)) context = found;
    else say(`The address asks for "${asked}", which is no context ${between}. The page shows another one.`);
    draw();
  }

  Object.assign(bar, { min: ends[0], max: ends[1], step });
  bar.addEventListener("input", () => move(shortened(Number(bar.value))));
  box.addEventListener("input", () => {
    const typed = Number(box.value || NaN), sound = fits(typed);
    box.setCustomValidity(sound ? "" : `A number ${between}.`);
    if (sound) move(typed);
  });
  box.addEventListener("blur", draw);
  element("joint").addEventListener("pointerdown", (event) => {
    if (event.target.id !== "handle") return;
    element("joint").setPointerCapture(event.pointerId); // the handle is drawn anew while it moves
    event.preventDefault();
  });
  element("joint").addEventListener("pointermove", (event) => {
    if (element("joint").hasPointerCapture(event.pointerId)) drag(event);
  });
  element("reset").addEventListener("click", () => move(start.context));
  addEventListener("hashchange", fromAddress);
  Sharing.offerCopies(say);
  Sharing.onNewLook(draw);
  fromAddress();
  draw();
})();
