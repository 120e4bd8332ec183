"""Objectives against the published formulas for given embeddings: values, and gradients where there are any."""

import pytest
import torch

from agreement.comparisons import COMPARISONS, Z


@pytest.mark.parametrize("name", COMPARISONS)
def test_value_and_gradient_are_those_of_the_published_formula(name: str) -> None:
    comparison, z = COMPARISONS[name], Z.clone().requires_grad_()
    ours, formula = comparison.ours(z), comparison.formula(z)
    torch.testing.assert_close(ours, formula, rtol=1e-9, atol=1e-12)
    if formula.requires_grad:
        found, expected = (torch.autograd.grad(value, z)[0] for value in (ours, formula))
        torch.testing.assert_close(found, expected, rtol=1e-7, atol=1e-10)


def test_scikit_learn_gives_the_likelihood_of_the_gaussian_process() -> None:
    comparison = COMPARISONS["Gaussian process"]
    torch.testing.assert_close(comparison.ours(Z), comparison.peer(Z), rtol=1e-8, atol=0.0)
