import math

import pytest
import torch
from torch import Generator, Tensor

from jointlaw.functional import _contrast as contrast
from jointlaw.functional import info_nce, nt_xent, sinkhorn, unit
from jointlaw.functional._contrast import against, log_support, off_diagonal, rep_relu
from jointlaw.types import Memory


def draw(*shape: int, generator: Generator) -> Tensor:
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def plain_nt_xent(z: Tensor, temperature: float) -> Tensor:
    """Two views, sample by sample, with exponentials."""
    both = torch.cat([z[0], z[1]])
    both = both / both.norm(dim=1, keepdim=True)
    count = len(both)
    losses = []
    for i in range(count):
        terms = torch.exp(both @ both[i] / temperature)
        losses.append(-torch.log(terms[(i + count // 2) % count] / (terms.sum() - terms[i])))
    return torch.stack(losses).mean()


def test_nt_xent_is_the_published_formula(generator: Generator) -> None:
    z = draw(2, 9, 5, generator=generator).requires_grad_()
    ours, plain = nt_xent(unit(z), 0.3), plain_nt_xent(z, 0.3)
    torch.testing.assert_close(ours, plain)
    torch.testing.assert_close(torch.autograd.grad(ours, z)[0], torch.autograd.grad(plain, z)[0])


def test_nt_xent_of_more_views_treats_no_positive_as_a_negative(generator: Generator) -> None:
    z = unit(draw(3, 6, 4, generator=generator))
    losses = []
    for v, w in [(v, w) for v in range(3) for w in range(3) if v != w]:
        for b in range(6):
            others = z[:, [c for c in range(6) if c != b]].reshape(-1, 4)
            positive = torch.exp(z[v, b] @ z[w, b] / 0.5)
            losses.append(-torch.log(positive / (positive + torch.exp(others @ z[v, b] / 0.5).sum())))
    torch.testing.assert_close(nt_xent(z, 0.5), torch.stack(losses).mean())


def test_nt_xent_does_not_overflow_at_a_small_temperature() -> None:
    """Exponentials of 1 / temperature = 1,000 would."""
    loss = nt_xent(torch.eye(4).repeat(2, 1, 1), 1e-3)
    assert float(loss) == pytest.approx(0, abs=1e-6)
    collapsed = nt_xent(torch.ones(2, 4, 4) / 2, 1e-3)
    assert float(collapsed) == pytest.approx(math.log(7), rel=1e-4)


def test_info_nce_is_the_cross_entropy_of_its_logits(generator: Generator) -> None:
    logits = draw(8, 20, generator=generator)
    loss = info_nce(logits[:, 0], logits[:, 1:].logsumexp(1))
    plain = torch.nn.functional.cross_entropy(logits, torch.zeros(8, dtype=torch.int64), reduction="none")
    torch.testing.assert_close(loss, plain)


def test_without_negatives_there_is_nothing_to_lose() -> None:
    positive = torch.tensor([0.4], requires_grad=True)
    loss = info_nce(positive, torch.tensor([-torch.inf]))
    loss.backward()
    assert loss.item() == 0
    assert positive.grad is not None
    assert positive.grad.item() == 0


def test_unit_vectors_have_length_one_and_zero_stays_zero_with_a_finite_gradient() -> None:
    x = torch.tensor([[3.0, 4.0], [0.0, 0.0]], requires_grad=True)
    y = unit(x)
    torch.testing.assert_close(y, torch.tensor([[0.6, 0.8], [0.0, 0.0]]))
    (y * torch.tensor([1.0, 2.0])).sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(x.grad[1], torch.tensor([1.0, 2.0]))


def test_rep_relu_is_relu_forward_and_gelu_backward(generator: Generator) -> None:
    x = (3 * draw(200, generator=generator)).float().requires_grad_()
    y = rep_relu(x)
    assert torch.equal(y, x.detach().relu())
    (gradient,) = torch.autograd.grad(y.sum(), x)
    (smooth,) = torch.autograd.grad(torch.nn.functional.gelu(x).sum(), x)
    torch.testing.assert_close(gradient, smooth)
    assert (gradient[x < 0] != 0).any()


def test_off_diagonal_leaves_out_equal_indices() -> None:
    assert off_diagonal(torch.arange(9.0).view(3, 3)).tolist() == [1, 2, 3, 5, 6, 7]
    rows = torch.arange(12.0).view(3, 2, 2).permute(2, 1, 0)  # not in one piece
    assert torch.equal(off_diagonal(rows), torch.stack((rows[0, 1], rows[1, 0])))
    assert off_diagonal(torch.ones(1, 1, 5)).shape == (0, 5)


@pytest.mark.parametrize("cached", [1, 40, 2**18])
def test_sums_over_a_memory_are_exact_in_any_number_of_blocks(
    cached: int, generator: Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contrast, "CACHED", cached)
    query = draw(7, 5, generator=generator).requires_grad_()
    keys, log_weights = draw(33, 5, generator=generator), draw(33, generator=generator)
    log_weights[[0, 1, 2, 20]] = -torch.inf
    logits = query @ keys.T / 0.2 + log_weights
    found = against(query, Memory(keys, log_weights), 0.2)
    torch.testing.assert_close(found.log_sum, logits.logsumexp(1))
    torch.testing.assert_close(found.posterior, logits.logsumexp(0).detach())
    weights = draw(7, generator=generator)
    (ours,) = torch.autograd.grad(found.log_sum @ weights, query)
    (plain,) = torch.autograd.grad(logits.logsumexp(1) @ weights, query)
    torch.testing.assert_close(ours, plain)


def test_a_memory_may_change_before_the_backward_pass(generator: Generator) -> None:
    query = draw(4, 3, generator=generator).requires_grad_()
    memory = Memory(draw(6, 3, generator=generator), torch.zeros(6, dtype=torch.float64))
    (before,) = torch.autograd.grad(against(query, memory, 1.0).log_sum.sum(), query)
    loss = against(query, memory, 1.0).log_sum.sum()
    memory.embeddings.fill_(7.0)
    assert torch.equal(torch.autograd.grad(loss, query)[0], before)


def test_an_empty_memory_weighs_nothing(generator: Generator) -> None:
    query = draw(4, 3, generator=generator).float().requires_grad_()
    found = against(query, Memory(torch.ones(5, 3), torch.full((5,), -torch.inf)), 0.1)
    assert (found.log_sum == -torch.inf).all()
    assert (found.posterior == -torch.inf).all()
    info_nce(torch.zeros(4), found.log_sum).sum().backward()
    assert query.grad is not None
    assert (query.grad == 0).all()


def test_what_lies_in_empty_slots_has_no_effect_at_any_temperature(generator: Generator) -> None:
    query = unit(draw(4, 3, generator=generator)).float().requires_grad_()
    keys = unit(-query.detach().mean(0, keepdim=True)).repeat(6, 1)
    log_weights = torch.tensor([0.0, -torch.inf] * 3)
    stale = torch.where(log_weights[:, None] == 0, keys, query.detach()[:1])
    clean, dirty = (against(query, Memory(each, log_weights), 1e-3).log_sum for each in (keys, stale))
    assert torch.equal(clean, dirty)
    assert torch.equal(*(torch.autograd.grad(each.sum(), query)[0] for each in (clean, dirty)))


def test_bfloat16_autocast_changes_nothing(generator: Generator) -> None:
    query, keys = unit(draw(8, 4, generator=generator)).float(), unit(draw(9, 4, generator=generator)).float()
    memory = Memory(keys, torch.zeros(9))
    plain = against(query, memory, 0.1), nt_xent(torch.stack([query, query]), 0.1), sinkhorn(query)
    with torch.autocast("cpu", torch.bfloat16):
        cast = against(query, memory, 0.1), nt_xent(torch.stack([query, query]), 0.1), sinkhorn(query)
    assert torch.equal(plain[0].log_sum, cast[0].log_sum)
    assert torch.equal(plain[1], cast[1])
    assert torch.equal(plain[2], cast[2])


def test_support_of_newcomers_is_the_log_sum_over_queries(generator: Generator) -> None:
    query, new = draw(5, 3, generator=generator), draw(4, 3, generator=generator)
    torch.testing.assert_close(log_support(query, new, 0.5), torch.exp(query @ new.T / 0.5).sum(0).log())


def plain_sinkhorn(scores: Tensor, epsilon: float, iterations: int) -> Tensor:
    """The published algorithm, with exponentials and all its constants."""
    q = torch.exp(scores / epsilon).T
    q = q / q.sum()
    prototypes, batch = q.shape
    for _ in range(iterations):
        q = q / q.sum(1, keepdim=True) / prototypes
        q = q / q.sum(0, keepdim=True) / batch
    return (q * batch).T


@pytest.mark.parametrize("iterations", [1, 3])
def test_sinkhorn_is_the_published_algorithm(iterations: int, generator: Generator) -> None:
    scores = draw(12, 7, generator=generator).tanh()
    torch.testing.assert_close(sinkhorn(scores, 0.05, iterations), plain_sinkhorn(scores, 0.05, iterations))


def test_many_iterations_balance_the_prototypes(generator: Generator) -> None:
    codes = sinkhorn(draw(20, 4, generator=generator).tanh() + torch.tensor([3.0, 0, 0, 0]), 0.5, 500)
    torch.testing.assert_close(codes.sum(1), torch.ones(20, dtype=torch.float64))
    torch.testing.assert_close(codes.sum(0), torch.full((4,), 5.0, dtype=torch.float64))


def test_queued_samples_take_part_in_the_balancing(generator: Generator) -> None:
    scores, past = draw(8, 5, generator=generator).tanh(), draw(11, 5, generator=generator).tanh()
    log_weights = torch.zeros(13, dtype=torch.float64)
    log_weights[11:] = -torch.inf
    queue = Memory(torch.cat([past, torch.full((2, 5), 9.0, dtype=torch.float64)]), log_weights)
    plain = plain_sinkhorn(torch.cat([past, scores]), 0.05, 3)[-8:]
    torch.testing.assert_close(sinkhorn(scores, 0.05, 3, queue), plain)


def test_sinkhorn_stays_finite_where_exponentials_would_not(generator: Generator) -> None:
    codes = sinkhorn(draw(16, 30, generator=generator).tanh().float(), 1e-3)
    assert codes.isfinite().all()
    torch.testing.assert_close(codes.sum(1), torch.ones(16))
