// The page of the rectified family: controls, charts, and what is told to address and listener.
"use strict";
(() => {
  const start = JSON.parse(document.getElementById("start").textContent);
  const { units, width } = start, { text, spaced } = Plot;
  const element = (id) => document.getElementById(id);
  const LOOKS = {
    a: { stroke: "var(--first)", "stroke-width": 2.5 },
    b: { stroke: "var(--second)", "stroke-width": 2.5, "stroke-dasharray": "7 4" },
  };
  const TONES = { a: "var(--first)", b: "var(--second)" };
  const PAIRS = 300, COURSE_POINTS = 49;
  let settings = start.settings, seed = 1, secondKept = null;

  const NAMES = () => ["a", "b"].slice(0, settings.length);

  // ---- draws that stay the same while the dial turns ----

  /** Uniform numbers in (0, 1) from a seed (mulberry32). */
  function uniform(state) {
    return () => {
      state = (state + 0x6d2b79f5) | 0;
      let t = Math.imul(state ^ (state >>> 15), 1 | state);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return (((t ^ (t >>> 14)) >>> 0) + 0.5) / 2 ** 32;
    };
  }

  /** The last results of a function, by its arguments as a text. */
  function remembering(compute) {
    const known = new Map();
    return (...words) => {
      const key = words.join(" ");
      if (!known.has(key)) {
        if (known.size > 8) known.delete(known.keys().next().value);
        known.set(key, compute(...words));
      }
      return known.get(key);
    };
  }

  const standardDraws = remembering((p, seedNow, count) => {
    const next = uniform(seedNow);
    return Array.from({ length: count }, () => Law.icdfBefore({ p, loc: 0, scale: 1 }, next()));
  });

  const course = remembering((p, scale, low, high) =>
    spaced(low, high, COURSE_POINTS).map((loc) => [loc, Law.figures(Law.resolve({ p, scale, loc }))]),
  );

  // ---- charts ----

  /** The value below which all but a few of the active units lie. */
  const reach = ({ law, figures }) =>
    Math.max(Law.icdfBefore(law, Math.min(1 - 0.003 * figures.activity, 1 - 1e-12)), 0.02 * law.scale);

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
    const top = 1.06 * Math.max(...inside, ...laws.map(({ law }) => Law.density(law, 0)), ...(units ? units.density : []));
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

  // ---- two units ----

  const RINGS = 10, STRIPS = 40;

  function drawPlane(laws, ends) {
    const radii = laws.map(({ law }) => Law.ballRadius(law, 0.9));
    const low = Math.min(ends[0], ...laws.map(({ law }, i) => law.loc - 1.05 * radii[i]));
    const high = Math.max(ends[1], ...laws.map(({ law }, i) => law.loc + 1.05 * radii[i]));
    const plot = Plot.chart(element("plane"), {
      x: [low, high], y: [low, high], xName: "first unit", yName: "second unit", square: true,
    });
    const corner = { x: plot.px(0), y: 0, width: plot.w - plot.px(0), height: plot.py(0) };
    plot.mark("svg", { ...corner, id: "quadrant", overflow: "hidden" });
    laws.forEach((entry, i) => {
      rings(plot, plot.inner.querySelector("#quadrant"), entry);
      for (const share of [0.5, 0.9]) {
        plot.shape(ball(entry.law, Law.ballRadius(entry.law, share)), { ...LOOKS[entry.name], fill: "none", "stroke-width": 1.5, "stroke-dasharray": i ? "2 3" : "6 4" });
      }
    });
    for (const end of [[plot.x[1], 0], [0, plot.y[1]]]) plot.segment([0, 0], end, { stroke: "var(--quiet)" });
    laws.forEach((entry, i) => drawAxesMass(plot, entry, i, high));
    laws.forEach((entry, i) => drawPairs(plot, entry, i));
  }

  /** Points on the ball of radius r around (loc, loc) in the l_p norm. */
  function ball({ p, loc }, r) {
    return spaced(0, 2 * Math.PI, 161).map((angle) => {
      const part = (v) => loc + r * Math.sign(v) * Math.abs(v) ** (2 / p);
      return [part(Math.cos(angle)), part(Math.sin(angle))];
    });
  }

  /** The density of both units firing: its level sets are l_p balls, of which the quadrant shows a part. */
  function rings(plot, quadrant, { law, name }) {
    const m = law.loc / law.scale, least = m < 0 ? (2 * (-m) ** law.p) / law.p : 0;
    for (let k = 1; k <= RINGS; k++) {
      const r = law.scale * (law.p * (least + 0.6 * k)) ** (1 / law.p);
      const points = ball(law, r).map(([a, b]) => `${(plot.px(a) - plot.px(0)).toFixed(1)},${plot.py(b).toFixed(1)}`);
      const shape = document.createElementNS("http://www.w3.org/2000/svg", "polygon");
      shape.setAttribute("points", points.join(" "));
      shape.setAttribute("fill", TONES[name]);
      shape.setAttribute("opacity", 0.08);
      quadrant.append(shape);
    }
  }

  /** On an axis one unit fires: its density as the strength of a band; the origin's mass as the area of a disc. */
  function drawAxesMass(plot, { law, figures, name }, i, high) {
    const step = high / STRIPS, peak = Math.max(Law.density(law, Math.max(law.loc, 0)), 1e-300), fill = TONES[name];
    for (let k = 0; k < STRIPS; k++) {
      const opacity = Math.min(Law.density(law, (k + 0.5) * step) / peak, 1) * 0.85;
      if (opacity < 0.01) continue;
      const [from, to] = [k * step, (k + 1) * step], thick = 6, gap = 1 + 7 * i;
      plot.mark("rect", { x: plot.px(from), y: plot.py(0) + gap, width: plot.px(to) - plot.px(from), height: thick, fill, opacity });
      plot.mark("rect", { x: plot.px(0) - gap - thick, y: plot.py(to), width: thick, height: plot.py(from) - plot.py(to), fill, opacity });
    }
    plot.mark("circle", { cx: plot.px(0), cy: plot.py(0), r: 1 + 22 * figures.zero, fill, opacity: i ? 0.55 : 0.75 });
  }

  function drawPairs(plot, { law, name }, i) {
    const draws = standardDraws(law.p, seed + 1000, 2 * PAIRS).map((t) => Math.max(law.loc + law.scale * t, 0));
    for (let k = 0; k < PAIRS; k++) {
      const [a, b] = [draws[2 * k], draws[2 * k + 1]];
      if (a || b) plot.dot([a, b], 2, { fill: i ? TONES[name] : "var(--ink)", opacity: 0.55 });
    }
  }

  // ---- the rest ----

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
    const low = Math.min(-4, ...laws.map(({ law }) => law.loc)), high = Math.max(4, ...laws.map(({ law }) => law.loc));
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

  function drawEmbeddings(laws) {
    const most = Math.max(...laws.map(reach));
    for (const { name, law } of laws) {
      const values = standardDraws(law.p, seed, width).map((t) => Math.max(law.loc + law.scale * t, 0));
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

  // ---- numbers and texts ----

  function tellNumbers(laws) {
    for (const { name, figures } of laws) {
      for (const [key, value] of Object.entries({ ...figures, active: width * figures.activity })) {
        element(`${name}-${key}-value`).textContent = text(value);
      }
    }
    for (const place of document.querySelectorAll('[data-column="b"]')) place.hidden = laws.length < 2;
    element("python").textContent = Settings.python(settings);
    element("command").textContent = Settings.command(settings, start.command);
    element("address").textContent = `${location.href.split("#")[0]}#${Settings.fragment(settings)}`;
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

  const say = (words) => {
    element("spoken").textContent = words;
    element("told").textContent = words;
  };

  const afterwards = Sharing.whenQuiet(() => {
    Sharing.setAddress(Settings.fragment(settings));
    const spoken = solved().map(({ name, figures }) => {
      const numbers = ["activity", "mean", "variance", "entropy"].map((key) => `${key} ${text(figures[key], 3)}`);
      return `${name === "a" ? "The law" : "The second law"}: ${numbers.join(", ")}.`;
    });
    element("spoken").textContent = spoken.join(" ");
  });

  // ---- controls ----

  function solved() {
    return NAMES().map((name, i) => {
      const law = Law.resolve(settings[i]);
      return { name, setting: settings[i], law, figures: Law.figures(law) };
    });
  }

  /** Show a setting in its controls, but for the one that is being typed into. */
  function showControls({ name, setting, law, figures }) {
    const values = { activity: figures.activity, loc: law.loc, p: setting.p, scale: law.scale };
    for (const [key, slider] of Object.entries(Settings.SLIDERS)) {
      const exact = key === Settings.held(setting) || key === "p" || key === setting.scale;
      const box = element(`${name}-${key}`), bar = element(`${name}-${key}-slider`);
      const shown = exact ? String(setting[key]) : text(values[key]);
      if (document.activeElement !== box) box.value = shown;
      if (document.activeElement !== bar) bar.value = slider.place(values[key]);
      bar.setAttribute("aria-valuetext", text(values[key], 4));
      box.setCustomValidity("");
    }
    const own = typeof setting.scale === "number";
    for (const choice of document.getElementsByName(`${name}-convention`)) choice.checked = choice.value === (own ? "own" : setting.scale);
    for (const key of ["activity", "loc"]) element(`${name}-${key}-note`).textContent = key === Settings.held(setting) ? "held" : "follows";
    element(`${name}-scale-note`).textContent = own ? "held" : "follows";
  }

  const draw = Sharing.oncePerFrame(() => {
    element("setting-b").hidden = settings.length < 2;
    element("compare").setAttribute("aria-pressed", settings.length > 1);
    const laws = solved(), ends = span(laws);
    laws.forEach(showControls);
    tellNumbers(laws);
    drawKeys(laws);
    drawDensity(laws, ends);
    drawDistribution(laws, ends);
    drawPlane(laws, ends);
    if (units) drawFires(laws);
    drawCourse(laws);
    drawEmbeddings(laws);
    document.body.dataset.drawn = Settings.fragment(settings);
  });

  /** Take a new value of a control: activity and loc replace each other, a scale of one's own replaces a convention. */
  function take(i, key, value) {
    const { p, scale, activity, loc } = settings[i];
    const place = key === "activity" || key === "loc" ? { [key]: value } : activity === undefined ? { loc } : { activity };
    const next = { p: key === "p" ? value : p, scale: key === "scale" ? value : scale, ...place };
    settings = settings.map((setting, k) => (k === i ? next : setting));
    draw();
    afterwards();
  }

  const HINTS = { activity: "A share between 0 and 1.", loc: "A number.", p: "A number from 0.05 to 100.", scale: "A number above 0." };

  function listen(name, i) {
    for (const [key, { ends, value }] of Object.entries(Settings.SLIDERS)) {
      const box = element(`${name}-${key}`), bar = element(`${name}-${key}-slider`);
      Object.assign(bar, { min: ends[0], max: ends[1], step: 0.01 });
      bar.addEventListener("input", () => take(i, key, value(Number(bar.value))));
      box.addEventListener("input", () => {
        const typed = Number(box.value || NaN), sound = Settings.fits(key, typed);
        box.setCustomValidity(sound ? "" : HINTS[key]);
        if (sound) take(i, key, typed);
      });
      box.addEventListener("blur", draw);
    }
    for (const choice of document.getElementsByName(`${name}-convention`)) {
      choice.addEventListener("change", () => {
        const now = Number(Law.resolve(settings[i]).scale.toPrecision(6));
        take(i, "scale", choice.value === "own" ? now : choice.value);
      });
    }
  }

  function fromAddress() {
    const asked = decodeURIComponent(location.hash.slice(1));
    if (!asked) return;
    const found = Settings.parse(asked);
    if (found) settings = found;
    else say(`The address asks for "${asked}", which is no setting of the law. The page shows another one.`);
    draw();
  }

  ["a", "b"].forEach(listen);
  element("compare").addEventListener("click", () => {
    if (settings.length > 1) [settings, secondKept] = [[settings[0]], settings[1]];
    else settings = [settings[0], secondKept ?? settings[0]];
    draw();
    afterwards();
  });
  element("reset").addEventListener("click", () => {
    settings = start.settings;
    draw();
    afterwards();
  });
  element("again").addEventListener("click", () => {
    seed += 1;
    draw();
  });
  addEventListener("hashchange", fromAddress);
  Sharing.offerCopies(say);
  Sharing.onNewLook(draw);
  fromAddress();
  draw();
})();
