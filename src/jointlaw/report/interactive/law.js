// The rectified generalised Gaussian RGN_p(loc, scale) = ReLU(GN_p(loc, scale)) in float64.
// Mirrors jointlaw/functional/_generalized.py and jointlaw/laws/_rectified.py, and needs gamma.js.
//
// A setting is { p, scale, activity } or { p, scale, loc }: scale is "GN" (variance 1 before the rectifier), "RGN"
// (variance 1 after it) or a number. A law is { p, loc, scale } with numbers only.
"use strict";
const Law = (() => {
  const NODES = 80, REACH = 60, CLUSTER = 4, NEWTON_STEPS = 12;

  /** (base + step)^p - base^p for base, base + step >= 0, without cancellation for small steps. */
  function powerGap(base, step, p) {
    if (Math.abs(step) < base) return base ** p * Math.expm1(p * Math.log1p(step / base));
    return Math.max(base + step, 0) ** p - base ** p;
  }

  /** log N(p), with GN_p(0, 1) of density exp(-|t|^p / p) / N(p). */
  const logNormalizer = (p) => Math.log(2) + (1 / p - 1) * Math.log(p) + Gamma.logGamma(1 / p);

  /** sigma_GN(p), the scale at which GN_p has variance 1. */
  const unitScale = (p) => Math.exp((Gamma.logGamma(1 / p) - Gamma.logGamma(3 / p)) / 2 - Math.log(p) / p);

  /** log of the probability of GN_p(0, 1) beyond n >= 0. */
  function logTail(p, n) {
    const x = n ** p / p;
    return Gamma.logScaledUpper(1 / p, x) - x - Math.log(2);
  }

  /** log Phi_p(t), to relative accuracy in both tails. */
  const logCdf = (p, t) => (t < 0 ? logTail(p, -t) : Math.log1p(-Math.exp(logTail(p, t))));

  /** The t at which Phi_p(t) is as given; all three are asked for so that neither tails nor middle lose digits. */
  function quantile(p, logLower, logUpper, excess) {
    const outer = Math.min(Math.min(logLower, logUpper) + Math.log(2), 0);
    if (excess === 0) return 0;
    if (outer === -Infinity) return Math.sign(excess) * Infinity;
    const inner = outer < -1 ? Math.log1p(-Math.exp(outer)) : Math.log(Math.abs(excess));
    return Math.sign(excess) * Math.exp((Gamma.logQuantile(1 / p, inner, outer) + Math.log(p)) / p);
  }

  const quantileAt = (p, q) => quantile(p, Math.log(q), Math.log1p(-q), 2 * q - 1);

  /** Gauss-Legendre abscissae and weights on (0, 1). */
  const rule = (() => {
    const at = [], weight = [];
    for (let i = 0; i < NODES; i++) {
      let x = Math.cos((Math.PI * (i + 0.75)) / (NODES + 0.5)), slope = 1;
      for (let step = 0; step < 8; step++) {
        let before = 1, value = x;
        for (let k = 2; k <= NODES; k++) [before, value] = [value, ((2 * k - 1) * x * value - (k - 1) * before) / k];
        slope = (NODES * (x * value - before)) / (x * x - 1);
        x -= value / slope;
      }
      at.push((1 + x) / 2);
      weight.push(1 / ((1 - x * x) * slope * slope));
    }
    return at.map((u, i) => [u, weight[i]]);
  })();

  /** Nodes [y, weight, exponent] of GN_p(m, 1) on (0, inf): sum weight f(y) = integral of f(y) exp(-exponent(y)) dy. */
  function truncatedNodes(p, m, order = 2) {
    const reach = REACH + (2.5 * (order + 1)) / p, mode = Math.max(m, 0), start = Math.max(-m, 0);
    const nodes = rule.map(([u, w]) => {
      const [step, exponent, jacobian] = outward(p, start, reach, u);
      return [step + mode, jacobian * w * Math.exp(-exponent), exponent];
    });
    const limit = Math.min(mode, (p * reach) ** (1 / p)), power = CLUSTER / Math.min(p, 1);
    if (limit > 0) {
      for (const [u, w] of rule) {
        const back = limit * u ** power, exponent = back ** p / p;
        nodes.push([mode - back, limit * power * u ** (power - 1) * w * Math.exp(-exponent), exponent]);
      }
    }
    return nodes;
  }

  /** Step y beyond start, exponent ((start + y)^p - start^p) / p and dy/du: see _outward in _generalized.py. */
  function outward(p, start, reach, u) {
    const share = reach * u ** CLUSTER, base = start ** p, jacobian = CLUSTER * u ** (CLUSTER - 1);
    if (p < 1) {
      return [powerGap(base, p * share, 1 / p), share, (base + p * share) ** (1 / p - 1) * reach * jacobian];
    }
    const furthest = powerGap(base, p * reach, 1 / p), step = furthest * u ** CLUSTER;
    return [step, powerGap(start, step, p) / p, furthest * jacobian];
  }

  const sum = (nodes, value) => nodes.reduce((total, node) => total + node[1] * value(node), 0);

  /** Activity, mass at zero, mean, variance and Renyi's entropy (nats) of a law. */
  function figures({ p, loc, scale }) {
    const m = loc / scale, logActive = logCdf(p, m), logSilent = logCdf(p, -m);
    const active = Math.exp(logActive), silent = Math.exp(logSilent);
    if (active === 0) return { activity: 0, zero: 1, mean: 0, loc, scale, variance: 0, entropy: 0 }; // even |m|^p may overflow
    const nodes = truncatedNodes(p, m), total = sum(nodes, () => 1);
    const mean = (active * scale * sum(nodes, ([y]) => y)) / total;
    const spread = sum(nodes, ([y]) => (scale * y - mean) ** 2) / total;
    const inside = sum(nodes, ([, , exponent]) => exponent) / total + Math.log(total) + Math.log(scale);
    const binary = -active * logActive - (silent && silent * logSilent);
    return {
      activity: active, zero: silent, mean, loc, scale,
      variance: active * spread + silent * mean ** 2,
      entropy: binary + active * inside,
    };
  }

  /** sigma_RGN(p, loc), the scale of variance 1 after the rectifier: Newton in log scale, kept inside a bracket. */
  function rectifiedScale(p, loc) {
    const least = unitScale(p), widest = figures({ p, loc: 0, scale: least }).variance;
    let low = least / 2, high = (4 * (least + Math.abs(loc))) / Math.sqrt(widest), sigma = high;
    for (let k = 0; k < NEWTON_STEPS; k++) {
      const { variance, mean, zero } = figures({ p, loc, scale: sigma }), excess = Math.log(variance);
      if (Math.abs(excess) < 1e-15) return sigma;
      if (excess > 0) high = sigma;
      else low = sigma;
      const newton = sigma * Math.exp(-excess / (2 - (2 * loc * mean * zero) / variance));
      sigma = newton >= low && newton <= high ? newton : Math.sqrt(low * high); // also where newton is NaN
    }
    return sigma;
  }

  /** The law of a setting. */
  function resolve({ p, scale, activity, loc }) {
    if (activity === undefined) {
      const sigma = scale === "GN" ? unitScale(p) : scale === "RGN" ? rectifiedScale(p, loc) : scale;
      return { p, loc, scale: sigma };
    }
    const ratio = quantileAt(p, activity);
    const free = () => 1 / Math.sqrt(figures({ p, loc: ratio, scale: 1 }).variance);
    const sigma = scale === "GN" ? unitScale(p) : scale === "RGN" ? free() : scale;
    return { p, loc: ratio * sigma, scale: sigma };
  }

  /** Density at x before the rectifier, which is that of the law where x > 0. */
  const density = ({ p, loc, scale }, x) =>
    Math.exp(-(Math.abs((x - loc) / scale) ** p) / p - logNormalizer(p)) / scale;

  /** Probability of [0, x]. */
  const cdf = ({ p, loc, scale }, x) => (x < 0 ? 0 : Math.exp(logCdf(p, (x - loc) / scale)));

  /** Quantile before the rectifier; that of the law is its positive part. */
  const icdfBefore = ({ p, loc, scale }, q) => loc + scale * quantileAt(p, q);

  /** Radius of the l_p ball around (loc, loc) that holds a share of the two-dimensional law before the rectifier. */
  const ballRadius = ({ p, scale }, share) =>
    scale * Math.exp((Gamma.logQuantile(2 / p, Math.log(share), Math.log1p(-share)) + Math.log(p)) / p);

  return { ballRadius, cdf, density, figures, icdfBefore, logCdf, rectifiedScale, resolve, unitScale };
})();
