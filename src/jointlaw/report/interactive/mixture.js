// A joint Gaussian mixture of a context and a target, one coordinate each, conditioned on the context, in float64.
// Mirrors jointlaw/laws/_mixture.py and jointlaw/functional/_univariate.py, and needs law.js (for the normal law, p = 2).
//
// A joint law is { logWeights: [K], loc: [K][2], scale: [K][3] } with the rows of the Cholesky factors, l11, l21, l22.
// A line is the law of the target: a list of { logWeight, loc, scale }, weights normalised.
"use strict";
const Mixture = (() => {
  const HALF = [0, 0.4, 0.8, 1.2, 1.6, 2, 2.5, 3, 3.6, 4.4, 5.5, 6.8, 8.2]; // deviations that resolve a component
  const LOG_ROOT_2PI = 0.5 * Math.log(2 * Math.PI);

  function logSumExp(values) {
    const top = Math.max(...values);
    return top + Math.log(values.reduce((total, value) => total + Math.exp(value - top), 0));
  }

  /** p(target | context): router weights from the context's densities, means and deviations from the factors. */
  function given({ logWeights, loc, scale }, context) {
    const routes = logWeights.map((w, k) => {
      const t = (context - loc[k][0]) / scale[k][0];
      return w - 0.5 * t * t - Math.log(scale[k][0]);
    });
    const total = logSumExp(routes);
    return routes.map((route, k) => ({
      logWeight: route - total,
      loc: loc[k][1] + (scale[k][1] / scale[k][0]) * (context - loc[k][0]),
      scale: scale[k][2],
    }));
  }

  /** Log-density of one component, with its weight. */
  const logPart = ({ logWeight, loc, scale }, x) =>
    logWeight - 0.5 * ((x - loc) / scale) ** 2 - Math.log(scale) - LOG_ROOT_2PI;

  const logDensity = (line, x) => logSumExp(line.map((part) => logPart(part, x)));

  /** Derivative of the log-density. */
  function slope(line, x) {
    const heights = line.map((part) => logPart(part, x)), total = logSumExp(heights);
    return line.reduce((s, { loc, scale }, k) => s - (Math.exp(heights[k] - total) * (x - loc)) / scale ** 2, 0);
  }

  /** Mass of (-inf, x]. */
  const probability = (line, x) =>
    line.reduce((total, { logWeight, loc, scale }) => total + Math.exp(logWeight + Law.logCdf(2, (x - loc) / scale)), 0);

  /** Mean, and the variance split into noise (within components) and ambiguity (between their means). */
  function figures(line) {
    const expect = (value) => line.reduce((total, part) => total + Math.exp(part.logWeight) * value(part), 0);
    const mean = expect(({ loc }) => loc), noise = expect(({ scale }) => scale ** 2);
    const ambiguity = expect(({ loc }) => (loc - mean) ** 2);
    return { mean, noise, ambiguity, total: noise + ambiguity };
  }

  function bisect(low, high, isLow, steps = 80) {
    for (let k = 0; k < steps; k++) {
      const middle = (low + high) / 2;
      if (isLow(middle)) low = middle;
      else high = middle;
    }
    return (low + high) / 2;
  }

  /** Ascending points, all peaks among them: between two neighbours the density is monotone. */
  function landmarks(line) {
    const offsets = [...HALF.slice(1).map((t) => -t), ...HALF];
    const x = line.flatMap(({ loc, scale }) => offsets.map((t) => loc + t * scale)).sort((a, b) => a - b);
    const height = x.map((at) => logDensity(line, at)), peaks = [];
    for (let i = 1; i + 1 < x.length; i++) {
      if (height[i] >= height[i - 1] && height[i] >= height[i + 1]) {
        peaks.push(bisect(x[i - 1], x[i + 1], (at) => slope(line, at) > 0));
      }
    }
    return [...x, ...peaks].sort((a, b) => a - b);
  }

  /** Where the log-density passes a threshold between two points: bisection, then Newton steps kept inside. */
  function crossing(line, low, high, threshold, falling) {
    const before = (at) => logDensity(line, at) > threshold === falling;
    let end = bisect(low, high, before, 12);
    const reach = (high - low) / 2 ** 12, [least, most] = [end - reach, end + reach];
    for (let k = 0; k < 4; k++) {
      const step = (threshold - logDensity(line, end)) / slope(line, end);
      end = Math.min(Math.max(end + (step || 0), least), most);
    }
    return end;
  }

  /** The intervals on which the log-density exceeds a threshold. */
  function above(line, x, height, threshold) {
    const ends = [];
    for (let i = 0; i + 1 < x.length; i++) {
      const before = height[i] > threshold, after = height[i + 1] > threshold;
      if (before !== after) ends.push(crossing(line, x[i], x[i + 1], threshold, before));
    }
    return ends.filter((_, i) => i % 2 === 0).map((low, i) => [low, ends[2 * i + 1]]);
  }

  /** The smallest set of mass `level`: its intervals, ascending. */
  function highestDensity(line, level) {
    const x = landmarks(line), height = x.map((at) => logDensity(line, at));
    // Beyond the outermost points there is no mass to speak of; valleys between narrow components may lie deeper.
    let low = Math.max(height[0], height.at(-1)), high = Math.max(...height), threshold = (low + high) / 2, parts = [];
    for (let k = 0; k < 60; k++) {
      parts = above(line, x, height, threshold);
      const mass = parts.reduce((total, [from, to]) => total + probability(line, to) - probability(line, from), 0);
      const excess = mass - level;
      if (Math.abs(excess) < 1e-12) break;
      if (excess > 0) low = threshold;
      else high = threshold;
      // A Newton step inside the bracket: mass falls by the density over the slope of its logarithm at every end.
      const fall = parts.flat().reduce((sum, end) => sum + 1 / Math.abs(slope(line, end)), 0) * Math.exp(threshold);
      const newton = threshold + excess / fall;
      threshold = newton > low && newton < high ? newton : (low + high) / 2;
    }
    return parts;
  }

  return { figures, given, highestDensity, logDensity, logPart, probability };
})();
