"""What each process does in the tests of collectives."""

import torch
from torch import Tensor, nn

from jointlaw.distributed import gather, mean_across_ranks, rank


def gathered() -> tuple[Tensor, Tensor]:
    """All parts, and the gradient by the own one of a sum that process r weighs by r + 1."""
    part = (torch.arange(6.0).view(2, 3) + 10 * rank()).requires_grad_()
    whole = gather(part, dim=1)
    (whole.sum() * (rank() + 1)).backward()
    assert part.grad is not None
    return whole.detach(), part.grad


def mean_of_a_part() -> tuple[Tensor, Tensor]:
    """The mean of ranks, and the gradient by the own of a sum that process r weighs by r + 1."""
    part = torch.full((3,), float(rank()), requires_grad=True)
    mean = mean_across_ranks(part)
    (mean.sum() * (rank() + 1)).backward()
    assert part.grad is not None
    return mean.detach(), part.grad


def refuse_cpu() -> str:
    """The message with which SyncBatchNorm refuses."""
    try:
        nn.SyncBatchNorm(4)(torch.randn(8, 4))
    except ValueError as error:
        return str(error)
    return "it works"


def all_collectives() -> dict[str, tuple[Tensor, Tensor] | str]:
    """All of the above, so that processes start once."""
    return {"gather": gathered(), "mean": mean_of_a_part(), "refusal": refuse_cpu()}
