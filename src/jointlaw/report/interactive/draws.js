// Draws of the standard law that stay the same while the dial turns, so that moving it moves the same embedding.
"use strict";
const Draws = (() => {
  /** Uniform numbers in (0, 1) from a seed (mulberry32). */
  function uniform(state) {
    return () => {
      state = (state + 0x6d2b79f5) | 0;
      let t = Math.imul(state ^ (state >>> 15), 1 | state);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return (((t ^ (t >>> 14)) >>> 0) + 0.5) / 2 ** 32;
    };
  }

  /** A function that keeps its last results, by its arguments as a text. */
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

  /** `count` draws of GN_p(0, 1). */
  const standardDraws = remembering((p, seed, count) => {
    const next = uniform(seed);
    return Array.from({ length: count }, () => Law.icdfBefore({ p, loc: 0, scale: 1 }, next()));
  });

  return { remembering, standardDraws };
})();
