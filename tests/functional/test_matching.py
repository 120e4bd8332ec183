import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator, Tensor

from jointlaw.functional import sliced_wasserstein
from jointlaw.functional._matching import Piece, streamed_wasserstein
from jointlaw.functional._sorting import sorted_values
from jointlaw.regularizers import Axes, Blend, FastOrthogonal, Slices, Sparse, Uniform

FAMILIES = {
    "uniform": Uniform(70),
    "fast": FastOrthogonal(70),
    "sparse": Sparse(20),
    "axes": Axes(),
    "mixture": Blend([(2.0, FastOrthogonal(64)), (1.0, Sparse(16)), (1.0, Axes())]),
}


def pieces(family: Slices, y: Tensor, generator: Generator) -> list[Piece]:
    """Blocks with the sorted projections of a sample ``[B, D]`` as targets."""
    columns = y.T.contiguous()
    blocks = family.blocks(columns, generator)
    return [Piece(weight, block, sorted_values(block.project(columns)).unsqueeze(1)) for weight, block in blocks]


def plain(z: Tensor, y: Tensor, injected: list[Piece]) -> Tensor:
    """The reference on the same slices, family by family."""
    value = z.new_zeros(())
    for weight, block, _ in injected:
        slices = block.lift(torch.eye(block.count, dtype=z.dtype)).T
        value = value + weight * block.count * sliced_wasserstein(z, y, slices)
    return value


def streamed(z: Tensor, injected: list[Piece]) -> Tensor:
    return streamed_wasserstein(z.T.contiguous(), 1, injected)


def sample(shape: tuple[int, ...], generator: Generator, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(shape, generator=generator, dtype=dtype).relu()  # half zeros: ties on the axes


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
@pytest.mark.parametrize("batch", [33, 300])
def test_value_and_gradient_equal_the_plain_two_sample_form(
    name: str, dtype: torch.dtype, tolerance: float, batch: int, generator: Generator
) -> None:
    z = sample((batch, 48), generator, dtype).requires_grad_()
    y = sample((batch, 48), generator, dtype)
    injected = pieces(FAMILIES[name], y, generator)
    value, reference = streamed(z, injected), plain(z, y, injected)
    (gradient,), (expected,) = torch.autograd.grad(value, z), torch.autograd.grad(reference, z)
    torch.testing.assert_close(value, reference, rtol=tolerance, atol=0)
    torch.testing.assert_close(gradient, expected, rtol=0, atol=tolerance * expected.abs().max().item())


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from([-1.5, -0.0, 0.0, 0.25, 2.0]), min_size=12, max_size=12))
def test_gradients_agree_whatever_the_ties(numbers: list[float]) -> None:
    generator = Generator().manual_seed(1)
    z = torch.tensor(numbers).view(6, 2).requires_grad_()
    y = torch.randn(6, 2, generator=generator)
    injected = pieces(Axes(), y, generator)
    (gradient,) = torch.autograd.grad(streamed(z, injected), z)
    (expected,) = torch.autograd.grad(plain(z, y, injected), z)
    torch.testing.assert_close(gradient, expected)


def test_gradcheck_in_float64(generator: Generator) -> None:
    z = torch.randn(7, 32, generator=generator, dtype=torch.float64, requires_grad=True)
    injected = pieces(FAMILIES["mixture"], torch.randn(7, 32, generator=generator, dtype=torch.float64), generator)
    assert torch.autograd.gradcheck(lambda x: streamed(x, injected), z)


def test_views_together_equal_the_mean_of_single_views(generator: Generator) -> None:
    views = sample((3, 20, 32), generator, torch.float64)
    injected = pieces(FAMILIES["mixture"], sample((20, 32), generator, torch.float64), generator)
    together = streamed_wasserstein(views.reshape(60, 32).T.contiguous(), 3, injected)
    apart = torch.stack([streamed(view, injected) for view in views]).mean()
    torch.testing.assert_close(together, apart)


def test_each_view_may_have_its_own_target(generator: Generator) -> None:
    views, samples = sample((2, 20, 32), generator), sample((2, 20, 32), generator)
    own = [pieces(Axes(), y, generator) for y in samples]
    both = [Piece(own[0][0].weight, own[0][0].block, torch.cat([piece[0].target for piece in own], dim=1))]
    together = streamed_wasserstein(views.reshape(40, 32).T.contiguous(), 2, both)
    apart = torch.stack([streamed(view, one) for view, one in zip(views, own, strict=True)]).mean()
    torch.testing.assert_close(together, apart)


def test_a_permuted_batch_has_the_same_value_and_the_permuted_gradient(generator: Generator) -> None:
    z = torch.randn(40, 32, generator=generator, dtype=torch.float64, requires_grad=True)
    injected = pieces(FAMILIES["mixture"], torch.randn(40, 32, generator=generator, dtype=torch.float64), generator)
    order = torch.randperm(40, generator=generator)
    value, permuted = streamed(z, injected), streamed(z[order], injected)
    torch.testing.assert_close(value, permuted)
    (gradient,) = torch.autograd.grad(value, z)
    (moved,) = torch.autograd.grad(permuted, z)
    torch.testing.assert_close(gradient, moved)


def test_a_sample_matched_to_itself_scores_zero(generator: Generator) -> None:
    z = sample((40, 32), generator)
    assert streamed(z, pieces(FAMILIES["mixture"], z, generator)) < 1e-11


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_float32(dtype: torch.dtype, generator: Generator) -> None:
    z = sample((40, 32), generator).to(dtype).requires_grad_()
    wide = z.detach().float().requires_grad_()
    injected = pieces(FAMILIES["mixture"], sample((40, 32), generator), generator)
    value, reference = streamed(z, injected), streamed(wide, injected)
    (gradient,), (expected,) = torch.autograd.grad(value, z), torch.autograd.grad(reference, wide)
    assert value.dtype == torch.float32
    assert torch.equal(value, reference)
    assert torch.equal(gradient, expected.to(dtype))


def test_the_loss_is_scaled_by_what_comes_from_above(generator: Generator) -> None:
    z = sample((40, 32), generator).requires_grad_()
    injected = pieces(Axes(), sample((40, 32), generator), generator)
    (once,), (thrice,) = (torch.autograd.grad(factor * streamed(z, injected), z) for factor in (1, 3))
    torch.testing.assert_close(thrice, 3 * once)


def test_it_cannot_be_differentiated_twice(generator: Generator) -> None:
    z = sample((40, 32), generator).requires_grad_()
    injected = pieces(Axes(), sample((40, 32), generator), generator)
    (gradient,) = torch.autograd.grad(streamed(z, injected).square(), z, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()
