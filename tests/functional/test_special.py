import mpmath as mp
import pytest
import torch

from jointlaw.functional._special import log_gamma_quantile, log_gammainccx

SHAPES = torch.tensor([0.1, 0.125, 1 / 3, 0.5, 2 / 3, 1, 2, 10 / 3, 10], dtype=torch.float64)


@pytest.mark.parametrize("x", [1e-30, 1e-8, 1e-3, 0.5, 1, 5, 20, 29.0, 31.0, 40, 51, 100, 700, 1e4, 2097152.0])
def test_log_gammainccx_equals_mpmath_far_beyond_underflow(x):
    found = log_gammainccx(SHAPES, torch.tensor(x, dtype=torch.float64))
    with mp.workdps(40):
        expected = [float(mp.log(mp.gammainc(a, x)) - mp.loggamma(mp.mpf(a)) + x) for a in map(mp.mpf, SHAPES.tolist())]
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64), rtol=1e-13, atol=1e-14)


def test_log_gammainccx_stays_finite_at_infinity():
    assert log_gammainccx(SHAPES, torch.tensor(float("inf"), dtype=torch.float64)).isfinite().all()


@pytest.mark.parametrize("tail", ["lower", "upper"])
def test_log_gamma_quantile_inverts_both_tails(tail):
    q = torch.cat([torch.logspace(-300, -1, 200, dtype=torch.float64), torch.linspace(0.1, 0.9, 81).double()])
    a = SHAPES[:, None]
    logs = (q.log(), torch.log1p(-q))
    w = log_gamma_quantile(a, *(logs if tail == "lower" else logs[::-1]))
    if tail == "upper":
        found = log_gammainccx(a, w.exp()) - w.exp()
    else:  # x itself may underflow where its logarithm does not
        leading = a * w - torch.lgamma(a + 1)
        found = torch.where(w < -40, leading, torch.special.gammainc(a, w.clamp(min=-40).exp()).log())
    torch.testing.assert_close(found, q.log().expand_as(found), rtol=1e-14, atol=2e-14)
