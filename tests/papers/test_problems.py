"""Alignment problems: their branches are what they say, their samples lie on them."""

from collections.abc import Callable

import pytest
import torch

from jointlaw_papers.problems import LOWER, UPPER, Problem, arm, crossing, separated

PROBLEMS = [separated, crossing, arm]


@pytest.mark.parametrize("make", PROBLEMS)
def test_targets_lie_on_their_branch_up_to_the_noise(make: Callable[[], Problem]) -> None:
    problem = make()
    pairs = problem.sample(4000, torch.Generator().manual_seed(0))
    truth = problem.branches(pairs.context)
    gap = pairs.target - truth[torch.arange(4000), pairs.branch]
    assert gap.std().item() == pytest.approx(problem.noise, rel=0.05)
    assert abs(gap.mean().item()) < 0.005
    share = torch.bincount(pairs.branch).double() / 4000
    torch.testing.assert_close(share, torch.full_like(share, 1 / truth.shape[1]), rtol=0, atol=0.03)


def test_branches_meet_at_zero_in_b_only() -> None:
    zero = torch.zeros(1, 1)
    assert crossing().branches(zero).abs().max() == 0
    assert torch.pdist(separated().branches(zero)[0]).min() == 0.5


def test_both_poses_of_the_arm_reach_the_place_and_differ() -> None:
    place = arm().contexts(500, torch.Generator().manual_seed(0)).double()
    shoulder, elbow = arm().branches(place).unbind(-1)  # [N, 2] each
    x = UPPER * shoulder.cos() + LOWER * (shoulder + elbow).cos()
    y = UPPER * shoulder.sin() + LOWER * (shoulder + elbow).sin()
    torch.testing.assert_close(torch.stack([x, y], -1), place[:, None].expand(-1, 2, -1), rtol=0, atol=1e-6)
    assert (elbow[:, 0] - elbow[:, 1]).min() > 0.35


@pytest.mark.parametrize("make", PROBLEMS)
def test_grid_has_as_many_contexts_as_asked(make: Callable[[], Problem]) -> None:
    grid = make().grid(50)
    assert len(grid) == 50
    assert len(torch.unique(grid, dim=0)) == 50
