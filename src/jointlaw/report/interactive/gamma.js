// Incomplete gamma functions in float64, with logarithms that stay finite in the tails, and their inverse.
// Mirrors jointlaw/functional/_special.py. P(a, x) is the lower, Q(a, x) = 1 - P(a, x) the upper regularised function.
"use strict";
const Gamma = (() => {
  const LANCZOS = [
    0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
    12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
  ];
  const HALLEY_STEPS = 8, LARGEST = 1e300, EPSILON = 1e-17;

  /** log Gamma(x) of x > 0, by Lanczos' approximation (g = 7). */
  function logGamma(x) {
    if (x < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * x)) - logGamma(1 - x);
    const t = x + 6.5;
    const sum = LANCZOS.reduce((total, c, k) => (k ? total + c / (x - 1 + k) : c), 0);
    return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(t) - t + Math.log(sum);
  }

  /** log(x^-a e^x Gamma(a + 1) P(a, x)) by the power series, which has positive terms only. */
  function series(a, x) {
    let term = 1, sum = 1;
    for (let k = 1; term > EPSILON * sum && k < 2000; k++) sum += term *= x / (a + k);
    return Math.log(sum);
  }

  /** log(x^-a e^x Gamma(a, x)) by Legendre's continued fraction (Lentz's method). */
  function fraction(a, x) {
    let b = x + 1 - a, c = 1e300, d = 1 / b, h = d;
    for (let k = 1; k < 2000; k++) {
      const numerator = -k * (k - a);
      b += 2;
      d = 1 / (numerator * d + b);
      c = b + numerator / c;
      h *= c * d;
      if (Math.abs(c * d - 1) < 1e-16) break;
    }
    return Math.log(h);
  }

  /** log P(a, e^logX). */
  function logLower(a, logX) {
    const x = Math.exp(logX);
    if (x < a + 1) return a * logX - x - logGamma(a + 1) + series(a, x);
    return Math.log1p(-Math.exp(logScaledUpper(a, x) - x));
  }

  /** log(e^x Q(a, x)), finite for every x >= 0. */
  function logScaledUpper(a, x) {
    if (x < a + 1) return x === 0 ? 0 : Math.log(-Math.expm1(logLower(a, Math.log(x)))) + x;
    const near = Math.min(x, LARGEST);
    return a * Math.log(near) - logGamma(a) + fraction(a, near);
  }

  /** Logarithm of the x whose log P and log Q are given: Halley's method on the smaller one, in log x. */
  function logQuantile(a, lower, upper) {
    const below = lower < Math.log(0.5), norm = logGamma(a);
    const reach = Math.max(-upper - norm, 1e-3);
    const tail = -upper - norm + (a - 1) * Math.log(reach + 1);
    const start = (lower + norm + Math.log(a)) / a; // P(a, x) <= x^a / Gamma(a + 1): left of the root
    let w = below ? start : Math.max(start, Math.log(Math.max(tail, 1e-300)));
    for (let k = 0; k < HALLEY_STEPS; k++) {
      const x = Math.exp(w), scaled = below ? logLower(a, w) : logScaledUpper(a, x);
      const slope = Math.exp(a * w - norm - (below ? scaled + x : scaled));
      const step = (below ? lower - scaled : scaled - x - upper) / slope;
      const bend = a - x + (below ? -slope : slope); // second derivative over the first
      const move = step / Math.max(1 + (step * bend) / 2, 0.5);
      w += Math.min(Math.max(move, -4), 4);
    }
    return w;
  }

  return { logGamma, logLower, logScaledUpper, logQuantile };
})();
