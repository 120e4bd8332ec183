// The charts of the law's page. A law comes as { name, setting, law, figures }; name is "a", or "b" for the second one.
"use strict";
const LawCharts = (() => {
  const { text, spaced } = Plot, element = (id) => document.getElementById(id);
  const { units, width } = JSON.parse(element("start").textContent);
  const LOOKS = {
    a: { stroke: "var(--first)", "stroke-width": 2.5 },
    b: { stroke: "var(--second)", "stroke-width": 2.5, "stroke-dasharray": "7 4" },
  };
  const TONES = { a: "var(--first)", b: "var(--second)" };
  const COURSE_POINTS = 49;

  const course = Draws.remembering((p, scale, low, high) =>
    spaced(low, high, COURSE_POINTS).map((loc) => [loc, Law.figures(Law.resolve({ p, scale, loc }))]),
  );

  /** The value below which all but a few of the active units lie. */
  const reach = ({ law, figures }) =>
    Math.max(Law.icdfBefore(law, Math.min(1 - 0.003 * figures.activity, 1 - 1e-12)), 0.02 * law.scale);

  /** Ends of the axis of values: room for what lies before the rectifier, and for nearly all active units. */
  function span(laws) {
    const high = Math.max(...laws.map(reach), units ? units.edges.at(-1) : 0);
    return [-0.4 * high, high];
  }

  /** Points of a density on an interval, more of them near its peak. */
  function densityPoints(law, low, high) {
    const near = spaced(-1, 1, 81).map((t) => law.loc + law.scale * 2 * t ** 3);
    const at = [...spaced(low, high, 201), ...near.filter((x) => x > low && x < high)].sort((a, b) => a - b);
    return at.map((x) => [x, Law.density(law, x)]);
  }

  function drawDensity(laws, ends) {
    const curves = laws.map(({ law }) => densityPoints(law, ...ends));
    const inside = curves.flat().filter(([x]) => x > 0).map(([, y]) => y);
    const top = 1.06 * Math.max(...inside, ...laws.map(({ law }) => Law.density(law, 0)), ...(units ? units.density : [])) || 1; // a law with no unit active in float64
    const plot = Plot.chart(element("density"), {
      x: ends, y: [0, top], xName: "value of a unit", yName: "density", right: "mass at zero",
    });
    if (units) drawBars(plot, units.edges, units.density);
    laws.forEach(({ name }, i) => {
      const before = curves[i].filter(([x]) => x <= 0), after = curves[i].filter(([x]) => x > 0);
      plot.shape([[ends[0], 0], ...before, [0, 0]], { fill: TONES[name], opacity: 0.14 });
      plot.curve(before, { ...LOOKS[name], "stroke-width": 1, opacity: 0.55 });
      plot.curve(after, LOOKS[name]);
    });
    laws.forEach(({ name, figures }, i) => drawStem(plot, figures.zero, (i - (laws.length - 1) / 2) * 9, TONES[name], i));
    if (units) drawStem(plot, units.zero, laws.length > 1 ? 14 : 9, "var(--counted)", laws.length);
  }

  /** An atom: a stem at zero, as high as its mass on the axis at the right. */
  function drawStem(plot, mass, shift, tone, row) {
    const x = plot.px(0) + shift, y = plot.h * (1 - 0.96 * mass);
    plot.mark("line", { x1: x, x2: x, y1: plot.h, y2: y, stroke: tone, "stroke-width": 4 });
    plot.mark("circle", { cx: x, cy: y, r: 6, fill: tone });
    if (plot.w < 420) return; // a narrow chart has no room for words: the key above it has them
    const place = { x: plot.px(0) - 16, y: 14 + 18 * row, "text-anchor": "end", class: "loud" };
    plot.mark("text", place, `${text(100 * mass, 4)}\u2009% at zero`);
    plot.mark("line", { x1: plot.px(0) - 13, x2: x, y1: 10 + 18 * row, y2: y, stroke: tone, "stroke-width": 1, opacity: 0.7 });
  }

  function drawBars(plot, edges, heights) {
    heights.forEach((height, i) => {
      const x = plot.px(edges[i]), y = plot.py(height);
      plot.mark("rect", { x, y, width: Math.max(plot.px(edges[i + 1]) - x - 1, 1), height: plot.h - y, fill: "var(--counted)", opacity: 0.45 });
    });
  }

  function drawDistribution(laws, ends) {
    const plot = Plot.chart(element("distribution"), {
      x: ends, y: [0, 1.04], xName: "value of a unit", yName: "probability up to there", percent: true,
    });
    if (units) plot.curve([[0, units.zero], ...units.edges.slice(1).map((x, i) => [x, units.below[i]])], { stroke: "var(--counted)", "stroke-width": 5, opacity: 0.6 });
    for (const { name, law, figures } of laws) {
      const fill = TONES[name];
      plot.curve([[ends[0], 0], [0, 0]], LOOKS[name]);
      plot.curve([[0, 0], [0, figures.zero]], { stroke: fill, "stroke-width": 1, "stroke-dasharray": "2 3" });
      plot.curve(spaced(0, ends[1], 160).map((x) => [x, Law.cdf(law, x)]), LOOKS[name]);
      plot.dot([0, 0], 4, { fill: "var(--sheet)", stroke: fill, "stroke-width": 2 });
      plot.dot([0, figures.zero], 4.5, { fill });
    }
  }

  function drawFires(laws) {
    const found = units.activity, top = Math.min(1, 1.15 * Math.max(...found, ...laws.map(({ figures }) => figures.activity)));
    const edges = spaced(0, top || 1, 41), counts = Array(40).fill(0);
    for (const share of found) counts[Math.min(Math.floor((share / (top || 1)) * 40), 39)] += 1;
    const plot = Plot.chart(element("fires"), {
      x: [0, 100 * (top || 1)], y: [0, 1.08 * Math.max(...counts)], xName: "active in (% of samples)", yName: "number of units",
    });
    drawBars(plot, edges.map((edge) => 100 * edge), counts);
    for (const { name, figures } of laws) {
      const x = 100 * figures.activity;
      plot.segment([x, 0], [x, plot.y[1]], LOOKS[name]);
    }
  }

  function drawCourse(laws) {
    const modes = laws.map(({ law }) => 1.08 * law.loc); // room for the dot
    const low = Math.min(-4, ...modes), high = Math.max(4, ...modes);
    const curves = laws.map(({ setting }) => course(setting.p, setting.scale, low, high));
    for (const what of ["activity", "mean", "variance", "entropy"]) {
      const values = curves.map((curve) => curve.map(([loc, figures]) => [loc, figures[what]]));
      const heights = [...values.flat().map(([, y]) => y), ...laws.map(({ figures }) => figures[what])];
      const bottom = Math.min(0, ...heights), top = Math.max(...heights), room = 0.06 * (top - bottom || 1);
      const plot = Plot.chart(element(`course-${what}`), {
        x: [low, high], y: [bottom - (bottom < 0 ? room : 0), top + room], xName: "loc", yName: "", percent: what === "activity", small: true,
      });
      laws.forEach(({ name, law, figures }, i) => {
        plot.curve(values[i], LOOKS[name]);
        plot.dot([law.loc, figures[what]], 5, { fill: TONES[name], stroke: "var(--sheet)", "stroke-width": 1.5 });
      });
    }
  }

  /** Units of an embedding as squares; zero is empty, `most` the strongest. */
  function drawUnits(canvas, values, tone, most) {
    const columns = Math.ceil(Math.sqrt(2 * values.length)), side = 12;
    const rows = Math.ceil(values.length / columns), brush = canvas.getContext("2d");
    canvas.width = columns * side;
    canvas.height = rows * side;
    const looks = getComputedStyle(document.documentElement);
    const [full, edge] = [tone, "--edge"].map((name) => looks.getPropertyValue(name).trim());
    values.forEach((value, i) => {
      const [x, y] = [(i % columns) * side, Math.floor(i / columns) * side];
      brush.globalAlpha = value ? 0.25 + 0.75 * Math.min(value / most, 1) : 0.6;
      brush.fillStyle = value ? full : edge;
      if (value) brush.fillRect(x + 1, y + 1, side - 2, side - 2);
      else brush.fillRect(x + 5, y + 5, side - 10, side - 10);
    });
  }

  function drawEmbeddings(laws, seed) {
    const most = Math.max(...laws.map(reach));
    for (const { name, law } of laws) {
      const values = Draws.standardDraws(law.p, seed, width).map((t) => Math.max(law.loc + law.scale * t, 0));
      const tone = name === "a" ? "--law" : "--measured";
      tell(`units-${name}-words`, name === "a" ? "The law" : "The second law", values);
      drawUnits(element(`units-${name}`), values, tone, most);
    }
    if (!units) return;
    tell("units-run-words", "A held-out sample of the run", units.sample);
    drawUnits(element("units-run"), units.sample, "--ink", most);
  }

  function tell(id, title, values) {
    const active = values.filter((value) => value > 0).length, bold = document.createElement("b");
    bold.textContent = title;
    element(id).replaceChildren(bold, `: ${active} of ${values.length} units active.`);
  }

  /** What stands for what in a chart: lines with their words. */
  function drawKey(id, entries) {
    const items = entries.map(([words, look]) => {
      const item = document.createElement("li"), line = document.createElementNS("http://www.w3.org/2000/svg", "svg");
      const stroke = document.createElementNS("http://www.w3.org/2000/svg", "line");
      for (const [key, value] of Object.entries({ x1: 0, x2: 26, y1: 5, y2: 5, ...look })) stroke.setAttribute(key, value);
      line.append(stroke);
      item.append(line, words);
      return item;
    });
    element(id).replaceChildren(...items);
  }

  const TITLES = { a: "the law", b: "the second law" };
  const percent = (share, digits = 4) => `${text(100 * share, digits)}\u2009%`;

  function drawKeys(laws) {
    const masses = laws.map(({ name, figures }) => [`${TITLES[name]}, ${percent(figures.zero)} at zero`, LOOKS[name]]);
    const run = units && [`the run (${units.count.toLocaleString("en")} embeddings), ${percent(units.zero)} at zero`, { stroke: "var(--counted)", "stroke-width": 9 }];
    drawKey("key", run ? [...masses, run] : masses);
    drawKey(
      "plane-key",
      laws.map(({ name, figures: { activity, zero } }) => {
        const shares = [zero ** 2, 2 * activity * zero, activity ** 2].map((share) => percent(share, 3));
        return [`none active ${shares[0]}, one ${shares[1]}, both ${shares[2]}`, LOOKS[name]];
      }),
    );
  }

  /** All charts, for one law or two; `seed` determines the draws. */
  function draw(laws, seed) {
    const ends = span(laws);
    drawKeys(laws);
    drawDensity(laws, ends);
    drawDistribution(laws, ends);
    Plane.draw(element("plane"), laws, ends, seed, { TONES, LOOKS });
    if (units) drawFires(laws);
    drawCourse(laws);
    drawEmbeddings(laws, seed);
  }

  return { draw };
})();
