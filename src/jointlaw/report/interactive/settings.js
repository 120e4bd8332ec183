// Settings of the law as texts: address, Python and command line; see law.js for what a setting is.
"use strict";
const Settings = (() => {
  const LEAST_P = 0.1, MOST_P = 100; // beyond them float64 loses digits
  const LARGEST = 1e100; // squares of it are still numbers

  /** What a slider's place means, and where a value lies on it. */
  const SLIDERS = {
    activity: {
      ends: [-13.82, 13.82], // log odds: 1e-6 to 1 - 1e-6
      value: (u) => (u < 0 ? rounded(1 / (1 + Math.exp(-u)), 3) : 1 - rounded(1 / (1 + Math.exp(u)), 3)),
      place: (share) => Math.log(share) - Math.log1p(-share),
    },
    loc: { ends: [-8, 4], value: (u) => u, place: (loc) => loc },
    p: { ends: [-1.2, 2.3], value: (u) => rounded(Math.exp(u), 2), place: Math.log },
    scale: { ends: [-3, 2], value: (u) => rounded(Math.exp(u), 2), place: Math.log },
  };

  const rounded = (value, digits) => Number(value.toPrecision(digits));
  const held = (setting) => (setting.activity === undefined ? "loc" : "activity");

  /** Whether a value is one that the law can have. */
  function fits(name, value) {
    if (typeof value !== "number" || !(Math.abs(value) < LARGEST)) return false;
    if (name === "activity") return value > 0 && value < 1;
    if (name === "p") return value >= LEAST_P && value <= MOST_P;
    return name === "loc" || value > 0;
  }

  function write(setting) {
    const name = held(setting);
    return `${name}=${setting[name]}&p=${setting.p}&scale=${setting.scale}`;
  }

  /** The setting that a part of an address describes, or null where it describes none. */
  function read(text) {
    const found = new URLSearchParams(text), number = (name) => Sharing.number(found.get(name));
    const name = found.has("activity") ? "activity" : "loc", word = found.get("scale") ?? "GN";
    const scale = word === "GN" || word === "RGN" ? word : Sharing.number(word);
    const setting = { p: found.has("p") ? number("p") : 1, scale, [name]: number(name) };
    const sound = fits(name, setting[name]) && fits("p", setting.p) && (typeof scale === "string" || fits("scale", scale));
    return sound && !(found.has("activity") && found.has("loc")) ? setting : null;
  }

  const fragment = (settings) => settings.map(write).join(";");

  /** The settings of an address, one or two; null where any is none. */
  function parse(text) {
    const settings = text.split(";").slice(0, 2).map(read);
    return settings.includes(null) ? null : settings;
  }

  function python(settings) {
    const double = (value) => `torch.tensor(${value}, dtype=torch.float64)`;
    const names = ["law", "other"].slice(0, settings.length);
    const made = settings.map((setting, i) => {
      const { p, scale, activity, loc } = setting, family = "RectifiedGeneralizedGaussian";
      if (typeof scale === "number") return `${names[i]} = ${family}(${p}, ${double(Law.resolve(setting).loc)}, ${scale})`;
      if (activity !== undefined) return `${names[i]} = ${family}.with_activity(${double(activity)}, p=${p}, scale="${scale}")`;
      const after = scale === "RGN" ? "True" : "False";
      return `${names[i]} = ${family}.unit_variance(${p}, ${double(loc)}, after_rectifier=${after})`;
    });
    const shown = names.map((name) => `print(${["activity", "mean", "variance", "entropy()"].map((what) => `${name}.${what}`).join(", ")})`);
    return ["import torch", "", "from jointlaw import RectifiedGeneralizedGaussian", "", ...made, ...shown].join("\n");
  }

  const command = (settings, base) =>
    settings.map((setting) => `${base} --${write(setting).replaceAll("&", " --")}`).join("\n");

  return { SLIDERS, command, fits, fragment, held, parse, python };
})();
