import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from jointlaw.functional import _sorting as sorting
from jointlaw.functional._sorting import ranks_to_samples, sorted_values

floats = st.floats(width=32, allow_nan=False)


def stable(x: Tensor) -> Tensor:
    return torch.sort(x, dim=-1, stable=True).indices


@settings(max_examples=100, deadline=None)
@given(st.lists(floats, min_size=1, max_size=40))
def test_any_floats_sort_as_torch_sorts_them(numbers: list[float]) -> None:
    x = torch.tensor([numbers], dtype=torch.float32)
    assert torch.equal(ranks_to_samples(x), stable(x))


@pytest.mark.parametrize("length", [2, 255, 256, 257, 300, 512, 513, 1000, 1024, 1500, 2048, 2049])
@pytest.mark.parametrize("merging", [True, False])
def test_ties_keep_their_order_at_every_length(
    length: int, merging: bool, generator: torch.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sorting, "_merging_pays", lambda: merging)
    x = torch.randn(6, 2, length, generator=generator)
    x[0] = x[0].relu()  # half zeros
    x[1] = x[1].relu() * -1.0  # zeros of both signs
    x[2] = x[2].round(decimals=1)
    x[3] *= 1e-40  # subnormal
    x[4, 0, 0], x[4, 1, -1] = torch.inf, -torch.inf
    x[5] = 3.0
    assert torch.equal(ranks_to_samples(x), stable(x))


def test_float64_is_ranked_in_float64(generator: torch.Generator) -> None:
    x = 1 + 1e-12 * torch.randn(3, 50, generator=generator, dtype=torch.float64)
    assert torch.equal(ranks_to_samples(x), stable(x))


def test_rows_that_do_not_lie_in_one_piece(generator: torch.Generator) -> None:
    x = torch.randn(600, 5, 2, generator=generator).permute(2, 1, 0)
    assert torch.equal(ranks_to_samples(x), stable(x))


def test_sorting_leaves_its_argument_alone(generator: torch.Generator) -> None:
    x = torch.randn(3, 50, generator=generator)
    before = x.clone()
    values = sorted_values(x)
    ranks_to_samples(x)
    assert torch.equal(x, before)
    assert torch.equal(values, before.sort(dim=-1).values)


@pytest.mark.parametrize("merging", [True, False])
@pytest.mark.parametrize("length", [512, 2500])
def test_threads_share_the_rows_of_a_big_sort(
    length: int, merging: bool, generator: torch.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sorting, "_merging_pays", lambda: merging)
    threads = torch.get_num_threads()
    x = torch.randn(2**18 // length + 3, length, generator=generator).relu()
    try:
        torch.set_num_threads(2)
        assert torch.equal(ranks_to_samples(x), stable(x))
    finally:
        torch.set_num_threads(threads)


def test_rows_that_short_keys_cannot_order_take_long_ones(
    generator: torch.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = []

    def counted(x: Tensor) -> Tensor:
        taken.append(len(x))
        return stable(x)

    monkeypatch.setattr(sorting, "_by_long_keys", counted)
    rows = torch.randn(500, 256, generator=generator)
    assert torch.equal(ranks_to_samples(rows), stable(rows))
    assert sum(taken) <= 15
    taken.clear()
    rows[:, 7] = 1e6  # the others share a few places
    rows[3] = torch.nextafter(rows[3], torch.tensor(torch.inf))
    assert torch.equal(ranks_to_samples(rows), stable(rows))
    assert sum(taken) == 500


@pytest.mark.parametrize("size", [1e-38, 1e-30, 1.0, 1e30, 3e38])
def test_every_range_of_numbers(size: float, generator: torch.Generator) -> None:
    x = size * torch.rand(20, 256, generator=generator).sub(0.5)
    assert torch.equal(ranks_to_samples(x), stable(x))
    assert torch.equal(ranks_to_samples(size + x), stable(size + x))
