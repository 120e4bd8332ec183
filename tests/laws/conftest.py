"""Exact values of the three laws by incomplete gamma functions with 90 digits (which beat every cancellation)."""

import mpmath as mp
import pytest

DIGITS = 90
SHAPES = (0.3, 0.5, 1.0, 1.5, 2.0, 3.0, 8.0)
RATIOS = (-8.0, -3.0, -1.0, 0.0, 0.25, 1.0, 3.0, 8.0)


class Exact:
    """GN_p(loc, scale), its truncation and its rectification."""

    def __init__(self, p: float, loc: float, scale: float = 1.0) -> None:
        self.p, self.loc, self.scale = mp.mpf(p), mp.mpf(loc), mp.mpf(scale)
        self.m = self.loc / self.scale

    def norm(self) -> mp.mpf:
        return 2 * self.p ** (1 / self.p - 1) * mp.gamma(1 / self.p)

    def tail(self, n: mp.mpf) -> mp.mpf:
        return mp.gammainc(1 / self.p, n**self.p / self.p) / mp.gamma(1 / self.p) / 2

    def phi(self, t: mp.mpf) -> mp.mpf:
        return self.tail(-t) if t < 0 else 1 - self.tail(t)

    def log_phi(self, t: mp.mpf) -> mp.mpf:
        return mp.log(self.tail(-t)) if t < 0 else mp.log1p(-self.tail(t))

    def activity(self) -> mp.mpf:
        return self.phi(self.m)

    def density(self, x: float) -> mp.mpf:
        t = abs((mp.mpf(x) - self.loc) / self.scale)
        return mp.exp(-(t**self.p) / self.p) / self.norm() / self.scale

    def cdf(self, x: float) -> mp.mpf:
        return self.phi((mp.mpf(x) - self.loc) / self.scale)

    def truncated_cdf(self, x: float) -> mp.mpf:
        t = (mp.mpf(x) - self.loc) / self.scale
        if self.m < 0:
            return 1 - self.tail(t) / self.tail(-self.m)
        return (self.phi(t) - self.tail(self.m)) / self.activity()

    def absolute(self, k: int, n: mp.mpf) -> mp.mpf:
        """Integral of s^k exp(-s^p / p) / N over (n, inf)."""
        p = self.p
        return p ** ((k + 1) / p - 1) * mp.gammainc((k + 1) / p, n**p / p) / self.norm()

    def positive_moment(self, r: int) -> mp.mpf:
        """E x^r 1(x > 0)."""
        total = mp.mpf(0)
        for k in range(r + 1):
            above = self.absolute(k, abs(self.m))
            if self.m > 0:  # all of (0, inf) and the mirrored part of (-m, 0)
                below = self.absolute(k, mp.mpf(0)) - above
                above = self.absolute(k, mp.mpf(0)) + (-1) ** k * below
            total += mp.binomial(r, k) * self.m ** (r - k) * above
        return total * self.scale**r

    def power(self) -> mp.mpf:
        """E |t|^p / p under the truncated law."""
        p, n = self.p, abs(self.m)
        above = self.absolute(0, n) / p + n * mp.exp(-(n**p) / p) / p / self.norm()
        whole = mp.mpf(1) / p
        return (above if self.m < 0 else whole - above) / self.activity()

    def truncated_entropy(self) -> mp.mpf:
        return mp.log(self.activity() * self.norm() * self.scale) + self.power()

    def rectified_entropy(self) -> mp.mpf:
        active, silent = self.activity(), self.phi(-self.m)
        return -active * mp.log(active) - silent * mp.log(silent) + active * self.truncated_entropy()

    def truncated_variance(self) -> mp.mpf:
        first, second = (self.positive_moment(r) / self.activity() for r in (1, 2))
        return second - first**2

    def rectified_variance(self) -> mp.mpf:
        return self.positive_moment(2) - self.positive_moment(1) ** 2

    def points(self) -> list[float]:
        """Positive values from far left to far right of the truncated law, in its own width."""
        n, p = max(-self.m, mp.mpf(0)), self.p
        width = self.scale * ((n**p + p) ** (1 / p) - n)
        return [float(max(self.loc, mp.mpf(0)) + width * f) for f in (1e-3, 0.1, 1, 5, 20)] + [
            float((self.loc if self.loc > 0 else width) * f) for f in (1e-9, 1e-4, 0.3, 0.7, 0.999)
        ]


@pytest.fixture(params=SHAPES, ids=lambda p: f"p={p}")
def p(request: pytest.FixtureRequest) -> float:
    return request.param


@pytest.fixture(params=RATIOS, ids=lambda m: f"loc={m}")
def ratio(request: pytest.FixtureRequest) -> float:
    return request.param


@pytest.fixture
def exact() -> type[Exact]:
    with mp.workdps(DIGITS):
        yield Exact
