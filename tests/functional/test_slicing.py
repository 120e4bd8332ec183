from collections.abc import Callable

import pytest
import torch
from torch import Generator, Tensor

from jointlaw.functional import _slicing as slicing
from jointlaw.regularizers import Axes, Blend, Eigen, FastOrthogonal, LowerEigen, Orthogonal, Slices, Sparse, Uniform
from jointlaw.regularizers import _families as families

WIDTHS = (24, 48, 100)
FAMILIES: dict[str, Callable[[], Slices]] = {
    "uniform": lambda: Uniform(230),
    "orthogonal": lambda: Orthogonal(230),
    "fast": lambda: FastOrthogonal(230),
    "sparse": lambda: Sparse(230, nonzeros=7),
    "some axes": lambda: Axes(20),
    "all axes": Axes,
    "eigen": lambda: Eigen(230),
    "lower eigen": lambda: LowerEigen(230),
    "mixture": lambda: Blend([(3.0, FastOrthogonal(100)), (1.0, Axes())]),
}


def matrix(block: slicing.Block) -> Tensor:
    return block.lift(torch.eye(block.count, dtype=torch.float64)).T


def columns(dim: int, generator: Generator, samples: int = 60) -> Tensor:
    return torch.randn(dim, samples, generator=generator, dtype=torch.float64)


@pytest.fixture(params=[(name, dim) for name in FAMILIES for dim in WIDTHS], ids=lambda pair: f"{pair[0]}-{pair[1]}")
def drawn(request: pytest.FixtureRequest, generator: Generator) -> tuple[Tensor, list[tuple[float, slicing.Block]]]:
    name, dim = request.param
    x = columns(dim, generator)
    return x, list(FAMILIES[name]().blocks(x, generator))


def test_slices_have_unit_length_and_weights_sum_to_one(drawn) -> None:
    x, blocks = drawn
    slices = torch.cat([matrix(block) for _, block in blocks])
    torch.testing.assert_close(slices.norm(dim=1), torch.ones(len(slices), dtype=x.dtype))
    assert sum(weight * block.count for weight, block in blocks) == pytest.approx(1)


def test_projections_are_contiguous_and_equal_the_explicit_matrix(drawn) -> None:
    x, blocks = drawn
    for _, block in blocks:
        projected = block.project(x)
        assert projected.is_contiguous()
        torch.testing.assert_close(projected, matrix(block) @ x)


def test_lifting_is_the_adjoint_of_projecting(drawn, generator: Generator) -> None:
    x, blocks = drawn
    for _, block in blocks:
        g = torch.randn(block.count, x.shape[1], generator=generator, dtype=x.dtype)
        left, right = (block.project(x) * g).sum(), (x * block.lift(g)).sum()
        torch.testing.assert_close(left, right)


def test_power_sums_equal_the_explicit_sums(drawn) -> None:
    _, blocks = drawn
    for _, block in blocks:
        explicit = torch.stack([(matrix(block) ** r).sum(1) for r in range(1, 5)], dim=1)
        torch.testing.assert_close(block.power_sums(), explicit)


def test_equal_weights_are_what_a_block_says(drawn) -> None:
    _, blocks = drawn
    for _, block in blocks:
        if block.nonzeros is not None:
            weights = matrix(block).abs()
            assert ((weights > 1e-9).sum(1) == block.nonzeros).all()
            torch.testing.assert_close(weights.amax(1), torch.full((block.count,), block.nonzeros**-0.5).double())


@pytest.mark.parametrize("dim", [32, 48, 100, 512, 768])
def test_fast_transform_rows_are_orthonormal(dim: int, generator: Generator) -> None:
    for _, block in FastOrthogonal(2 * dim).blocks(columns(dim, generator), generator):
        assert isinstance(block, slicing.Fast)
        for basis in matrix(block).split(dim):
            torch.testing.assert_close(basis @ basis.T, torch.eye(dim, dtype=torch.float64))


def test_fast_transform_is_a_kronecker_product_with_signs(generator: Generator) -> None:
    left, right = slicing.haar(4, columns(1, generator), generator), slicing.haar(8, columns(1, generator), generator)
    signs = slicing.random_signs((2, 32), left, generator)
    block = slicing.Fast(left, right, signs, 50, None)
    explicit = torch.cat([torch.kron(left, right) * row for row in signs])[:50]
    torch.testing.assert_close(matrix(block), explicit)


@pytest.mark.parametrize("dim", [67, 134])
def test_width_without_factors_is_said_and_served_by_dense_blocks(dim: int, generator: Generator) -> None:
    with pytest.warns(UserWarning, match="no balanced factors"):
        blocks = [block for _, block in FastOrthogonal(40).blocks(columns(dim, generator), generator)]
    assert all(isinstance(block, slicing.Dense) for block in blocks)


def test_factors_with_hadamard_matrices_come_first() -> None:
    assert slicing.factorise(48) == (4, 12)  # rather than 6 x 8
    assert slicing.factorise(768) == (24, 32)
    assert slicing.factorise(100) == (10, 10)
    assert slicing.factorise(16) is None
    assert slicing.factorise(127) is None


@pytest.mark.parametrize("order", [1, 2, 4, 12, 20, 24, 40, 64])
def test_hadamard_matrices_are_orthogonal_with_equal_entries(order: int) -> None:
    h = slicing.hadamard(order, torch.ones((), dtype=torch.float64))
    assert h is not None
    torch.testing.assert_close(h @ h.T, torch.eye(order, dtype=torch.float64))
    torch.testing.assert_close(h.abs(), torch.full_like(h, order**-0.5))


@pytest.mark.parametrize("order", [3, 6, 10, 28])
def test_orders_without_a_construction_give_none(order: int) -> None:
    assert slicing.hadamard(order, torch.ones(())) is None


@pytest.mark.parametrize("dim", [24, 50])
def test_a_sparse_block_touches_every_unit(dim: int, generator: Generator) -> None:
    sets = -(-dim // 8)
    [(_, block)] = list(Sparse(sets).blocks(columns(dim, generator), generator))
    touched = (matrix(block) != 0).sum(0)
    assert touched.min() >= 1
    assert touched.max() <= (1 if dim % 8 == 0 else 2)


def test_some_axes_are_distinct(generator: Generator) -> None:
    [(_, block)] = list(Axes(20).blocks(columns(24, generator), generator))
    torch.testing.assert_close(matrix(block) @ matrix(block).T, torch.eye(20, dtype=torch.float64))


def test_eigen_slices_span_the_centred_batch_in_order_of_variance(generator: Generator) -> None:
    x = columns(24, generator) * torch.linspace(1, 3, 24, dtype=torch.float64)[:, None] + 5
    vectors = matrix(next(Eigen(24).blocks(x, generator))[1])
    covariance = x.cov(correction=0)
    diagonal = vectors @ covariance @ vectors.T
    variances = torch.linalg.eigvalsh(covariance).flip(0)
    torch.testing.assert_close(diagonal, torch.diag(variances))


def test_lower_eigen_slices_are_the_half_of_least_variance(generator: Generator) -> None:
    x = columns(24, generator) * torch.linspace(1, 3, 24, dtype=torch.float64)[:, None]
    vectors = matrix(next(LowerEigen(12).blocks(x, generator))[1])
    covariance = x.cov(correction=0)
    torch.testing.assert_close(
        (vectors @ covariance @ vectors.T).diagonal(), torch.linalg.eigvalsh(covariance)[:12].flip(0)
    )


@pytest.mark.parametrize(("family", "needed"), [(Eigen, 24), (LowerEigen, 12)])
def test_fewer_eigen_slices_than_vectors_is_an_error_that_says_how_many(
    family, needed: int, generator: Generator
) -> None:
    with pytest.raises(ValueError, match=rf"count >= {needed}.*found {needed - 1}"):
        list(family(needed - 1).blocks(columns(24, generator), generator))


def test_a_batch_smaller_than_the_width_has_one_vector_fewer_than_samples(generator: Generator) -> None:
    [(_, block)] = list(Eigen(9).blocks(columns(24, generator, samples=10), generator))
    assert block.count == 9


@pytest.mark.parametrize(("family", "count"), [(Eigen, 9), (LowerEigen, 5)])
def test_eigen_slices_without_a_count_are_the_vectors_alone(family, count: int, generator: Generator) -> None:
    [(weight, block)] = list(family().blocks(columns(24, generator, samples=10), generator))
    assert block.count == count
    assert weight == pytest.approx(1 / count)


@pytest.mark.parametrize("family", [Eigen, LowerEigen])
def test_eigen_slices_of_some_samples_are_other_ones_at_every_draw(family, generator: Generator) -> None:
    x = columns(24, generator)
    first, second = (next(family(samples=11).blocks(x, generator))[1] for _ in range(2))
    assert first.count == second.count == (10 if family is Eigen else 5)
    assert not torch.allclose(matrix(first), matrix(second))


def test_eigen_slices_of_few_samples_are_of_few_units(generator: Generator) -> None:
    [(_, block)] = list(Eigen(samples=5).blocks(columns(24, generator, samples=60), generator))
    slices = matrix(block)
    torch.testing.assert_close(slices @ slices.T, torch.eye(4, dtype=slices.dtype))
    assert int(slices.abs().sum(0).count_nonzero()) == 20


@pytest.mark.parametrize("samples", [10, 60])
def test_eigen_slices_of_collapsed_embeddings_are_orthonormal(samples: int, generator: Generator) -> None:
    [(_, block)] = list(Eigen().blocks(torch.ones(24, samples), generator))
    torch.testing.assert_close(
        block.lift(torch.eye(block.count)).T @ block.lift(torch.eye(block.count)), torch.eye(block.count)
    )


@pytest.mark.parametrize("samples", [10, 60])
@pytest.mark.parametrize("value", [torch.nan, torch.inf, 1e30, 1e-30])
def test_embeddings_out_of_range_still_have_slices(samples: int, value: float, generator: Generator) -> None:
    """So that it is the loss that tells of them, by its name."""
    x = torch.zeros(24, samples)
    x[3, 4] = value
    [(_, block)] = list(Eigen().blocks(x, generator))
    slices = block.lift(torch.eye(block.count)).T
    torch.testing.assert_close(slices @ slices.T, torch.eye(block.count))
    if 0 < value < torch.inf:
        torch.testing.assert_close(slices[0].abs(), torch.eye(24)[3])


@pytest.mark.parametrize("dim", [64, 512])
def test_eigen_slices_of_batches_with_mostly_silent_samples(dim: int, generator: Generator) -> None:
    """Most samples are alike, so most singular values repeat: a solver for Gram matrices failed on one in ten."""
    for _ in range(40):
        x = torch.zeros(dim, 128)
        units, samples = (torch.randint(0, most, (20,), generator=generator) for most in (dim, 128))
        x[units, samples] = torch.rand(20, generator=generator)
        [(_, block)] = list(LowerEigen().blocks(x, generator))
        slices = block.lift(torch.eye(block.count)).T
        torch.testing.assert_close(slices @ slices.T, torch.eye(block.count))


def test_eigen_slices_in_single_precision_keep_the_least_directions(generator: Generator) -> None:
    """Deviations from 1 to 1e-4 of the greatest: what leaks of the great ones into the least would swamp them."""
    x = columns(24, generator, samples=500) * torch.logspace(0, -4, 24, dtype=torch.float64)[:, None]
    [(_, block)] = list(LowerEigen().blocks(x.float(), generator))
    deviations = block.lift(torch.eye(block.count)).T.double() @ x
    least = torch.linalg.svdvals(x - x.mean(1, keepdim=True))[12:]
    assert deviations.var(1).sum() <= 1.05 * least.square().sum() / 499


@pytest.mark.parametrize(("family", "first"), [(Eigen, 0), (LowerEigen, 11)])
def test_eigen_slices_of_a_wide_batch_are_its_singular_vectors(family, first: int, generator: Generator) -> None:
    """Deviations from 1 to 1e-4 of the greatest, in single precision."""
    x = columns(64, generator, samples=24) * torch.logspace(0, -4, 64, dtype=torch.float64)[:, None]
    [(_, block)] = list(family().blocks(x.float(), generator))
    exact = x.float().double()
    vectors = torch.linalg.svd(exact - exact.mean(1, keepdim=True), full_matrices=False).U.T[first:23]
    cosines = (block.lift(torch.eye(block.count)).T.double() * vectors).sum(1).abs()
    torch.testing.assert_close(cosines, torch.ones_like(cosines), atol=1e-6, rtol=0)


def test_uniform_and_haar_slices_are_spread_evenly(generator: Generator) -> None:
    x = columns(16, generator)
    for family in (Uniform(20_000), Orthogonal(20_000)):
        slices = torch.cat([matrix(block) for _, block in family.blocks(x, generator)])
        torch.testing.assert_close(slices.T @ slices / len(slices), torch.eye(16).double() / 16, atol=0.003, rtol=0)
        torch.testing.assert_close((slices**4).sum(1).mean().item(), 3 / 18, atol=0.003, rtol=0)


def test_mixture_weights_are_normalised_and_split_over_slices(generator: Generator) -> None:
    mixture = Blend([(3.0, Uniform(10)), (1.0, Axes())])
    [(dense, _), (axes, _)] = list(mixture.blocks(columns(24, generator), generator))
    assert dense == pytest.approx(0.75 / 10)
    assert axes == pytest.approx(0.25 / 24)


def test_the_same_generator_state_draws_the_same_slices(generator: Generator) -> None:
    x = columns(48, generator)
    for build in FAMILIES.values():
        first, second = (
            [matrix(block) for _, block in build().blocks(x, Generator().manual_seed(3))] for _ in range(2)
        )
        assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("build", [Uniform, Orthogonal, FastOrthogonal, Sparse, Axes, Eigen, LowerEigen])
def test_no_slices_is_an_error(build: Callable[[int], Slices]) -> None:
    with pytest.raises(ValueError, match="count >= 1"):
        build(0)


@pytest.mark.parametrize("build", [Eigen, LowerEigen])
def test_a_single_sample_has_no_singular_vectors(build: Callable[..., Slices]) -> None:
    with pytest.raises(ValueError, match="samples >= 2"):
        build(samples=1)


def test_impossible_mixtures_are_errors() -> None:
    with pytest.raises(ValueError, match="at least one family"):
        Blend([])
    with pytest.raises(ValueError, match="weight > 0"):
        Blend([(0.0, families.Axes())])
