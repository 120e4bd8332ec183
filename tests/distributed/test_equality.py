"""One process with the whole batch and several with a part each compute the same, to rounding."""

from functools import cache
from typing import Any

import pytest
import torch

from distributed.cases import CASES, train_all
from distributed.collectives import all_collectives
from distributed.processes import together

Trace = dict[str, dict[str, Any]]
WORLDS = [2, pytest.param(4, marks=pytest.mark.slow)]


@cache
def one_process() -> Trace:
    (trace,) = together(1, train_all)
    return trace


@pytest.fixture(scope="module", params=WORLDS)
def several_processes(request: pytest.FixtureRequest) -> list[Trace]:
    return together(request.param, train_all)


@pytest.mark.parametrize("name", CASES)
def test_loss_terms_gradients_and_state_are_those_of_one_process(name: str, several_processes: list[Trace]) -> None:
    alone, parts = one_process()[name], [trace[name] for trace in several_processes]
    assert all(part.keys() == alone.keys() for part in parts)
    largest = max(float(value.abs().max()) for what, value in alone.items() if what.startswith("gradient"))
    for what, expected in alone.items():
        found = [part[what] for part in parts]
        if what.startswith("mean"):  # a loss may look at the process's own samples alone; averaged, as gradients are
            found = [torch.stack(found).mean(0)]
        # small entries carry the rounding of large ones; some gradients are nothing else, where a loss sees no shift
        scale = (
            largest
            if what.startswith("gradient")
            else float(expected.double().abs().max())
            if expected.numel()
            else 0.0
        )
        for value in found:
            torch.testing.assert_close(
                value, expected, rtol=1e-6, atol=1e-6 * scale, msg=lambda text, of=what: f"{name}, {of}: {text}"
            )


@pytest.fixture(scope="module", params=WORLDS)
def collectives(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    return together(request.param, all_collectives)


def test_gather_lays_parts_in_order_and_sums_what_all_ask_of_each(collectives: list[dict[str, Any]]) -> None:
    world = len(collectives)
    parts = [torch.arange(6.0).view(2, 3) + 10 * number for number in range(world)]
    for whole, gradient in (result["gather"] for result in collectives):
        assert torch.equal(whole, torch.cat(parts, dim=1))
        assert torch.equal(gradient, torch.full((2, 3), float(sum(range(1, world + 1)))))


def test_mean_across_ranks_shares_its_gradient(collectives: list[dict[str, Any]]) -> None:
    world = len(collectives)
    for mean, gradient in (result["mean"] for result in collectives):
        assert torch.equal(mean, torch.full((3,), (world - 1) / 2))
        assert torch.equal(gradient, torch.full((3,), sum(range(1, world + 1)) / world))


def test_synchronised_batch_normalisation_of_torch_knows_no_cpu(collectives: list[dict[str, Any]]) -> None:
    """Why networks here have moments of their own; when this fails, they need them no more."""
    assert all("GPU" in result["refusal"] for result in collectives)
