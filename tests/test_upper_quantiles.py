import pytest
import torch

from jointlaw.functional.targets import unit_order_statistics
from jointlaw.laws import RectifiedGeneralizedGaussian
from jointlaw.laws.fixed import Fixed
from jointlaw.regularizers import UpperQuantiles

LAW = RectifiedGeneralizedGaussian.with_activity(0.1)


def test_the_expected_order_statistics_score_zero_however_low_the_silent_samples_lie() -> None:
    perfect = unit_order_statistics(LAW.before, 64, torch.device("cpu"), torch.float32)
    lower = torch.where(perfect < -1.5, perfect - 5.0, perfect)
    for column in (perfect, lower):
        z = column[torch.randperm(64, generator=torch.Generator().manual_seed(0))].unsqueeze(1).expand(64, 3)
        assert float(UpperQuantiles(LAW)(z)) == pytest.approx(0.0, abs=1e-10)


def test_views_are_averaged() -> None:
    z = torch.randn(2, 64, 5, generator=torch.Generator().manual_seed(0))
    upper = UpperQuantiles(LAW)
    torch.testing.assert_close(upper(z), (upper(z[0]) + upper(z[1])) / 2)


def test_gradient_reaches_only_the_upper_samples() -> None:
    z = torch.randn(100, 1, generator=torch.Generator().manual_seed(0)).requires_grad_()
    UpperQuantiles(LAW, margin=2.0)(z).backward()
    assert z.grad is not None
    touched = z.grad.flatten().nonzero().flatten()
    assert set(touched.tolist()) == set(z.flatten().topk(20).indices.tolist())


def test_computes_in_float32_from_half_precision() -> None:
    assert UpperQuantiles(LAW)(torch.randn(64, 4).bfloat16()).dtype == torch.float32


def test_margin_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="margin >= 1"):
        UpperQuantiles(LAW, margin=0.5)


def test_a_fixed_law_is_the_same_object_until_it_moves() -> None:
    fixed = Fixed(LAW)
    assert fixed.law is fixed.law
    assert fixed.double().law.tensors["p"].dtype == torch.float64
    assert set(fixed.state_dict()) == {"p", "loc", "scale"}


def test_a_fixed_law_is_that_of_one_unit() -> None:
    with pytest.raises(ValueError, match="one unit"):
        Fixed(RectifiedGeneralizedGaussian(1.0, torch.zeros(3)))
