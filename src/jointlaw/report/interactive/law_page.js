// The page of the rectified family: its controls and numbers, and what is told to address and listener.
"use strict";
(() => {
  const start = JSON.parse(document.getElementById("start").textContent), { width } = start, { text } = Plot;
  const element = (id) => document.getElementById(id);
  let settings = start.settings, seed = 1, secondKept = null;

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
    return settings.map((setting, i) => {
      const law = Law.resolve(setting);
      return { name: i ? "b" : "a", setting, law, figures: Law.figures(law) };
    });
  }

  /** Show a setting in its controls, but for the one that is being typed into. */
  function showControls({ name, setting, law, figures }) {
    const values = { activity: figures.activity, loc: law.loc, p: setting.p, scale: law.scale };
    for (const [key, slider] of Object.entries(Settings.SLIDERS)) {
      const exact = key === Settings.held(setting) || key === "p" || (key === "scale" && typeof setting.scale === "number");
      const box = element(`${name}-${key}`), bar = element(`${name}-${key}-slider`);
      const shown = exact ? String(setting[key]) : text(values[key]);
      if (document.activeElement !== box) {
        box.value = shown;
        box.setCustomValidity("");
      }
      if (document.activeElement !== bar) bar.value = slider.place(values[key]);
      bar.setAttribute("aria-valuetext", text(values[key], 4));
    }
    const own = typeof setting.scale === "number";
    for (const choice of document.getElementsByName(`${name}-convention`)) choice.checked = choice.value === (own ? "own" : setting.scale);
    for (const key of ["activity", "loc"]) element(`${name}-${key}-note`).textContent = key === Settings.held(setting) ? "held" : "follows";
    element(`${name}-scale-note`).textContent = own ? "held" : "follows";
  }

  const draw = Sharing.oncePerFrame(() => {
    element("setting-b").hidden = settings.length < 2;
    element("compare").setAttribute("aria-pressed", settings.length > 1);
    const laws = solved();
    laws.forEach(showControls);
    tellNumbers(laws);
    LawCharts.draw(laws, seed);
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

  const HINTS = { activity: "A share between 0 and 1.", loc: "A number.", p: "A number from 0.1 to 100.", scale: "A number above 0." };

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
    const asked = Sharing.address();
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
