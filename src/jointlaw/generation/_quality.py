"""How good generated samples are: fidelity and coverage, balance of the classes, memorisation, and the latent law.

Samples are compared by Euclidean distances, in a space of your choice, such as pixels or a classifier's features.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from jointlaw import _check as check
from jointlaw.laws._gaussian import JointGaussian
from jointlaw.laws._mixture import JointMixture

_ROWS = 1024  # points whose distances are held at a time: bounds the memory, does not change the values
_CANDIDATES = 4  # for the nearest point, among which rounding may have chosen the wrong one


class Overlap(NamedTuple):
    """How far two sets of points overlap. Each figure is 1 at best, except density, which may exceed it.

    Attributes:
        precision: share of the fake points inside the ball of some real point.
        recall: share of the real points inside the ball of some fake point.
        density: mean number of real balls that a fake point is in, divided by k.
        coverage: share of the real points whose ball holds a fake point.

    >>> x = torch.tensor([[0.0], [1.0], [2.0]])
    >>> overlap(x, x + 1.5, neighbours=1)
    Overlap(precision=0.6666666666666666, recall=0.6666666666666666, density=1.0, coverage=0.6666666666666666)
    """

    precision: float
    recall: float
    density: float
    coverage: float


def overlap(real: Tensor, fake: Tensor, neighbours: int = 5) -> Overlap:
    r"""Precision, recall, density and coverage of fake points among real ones.

    The ball of a point reaches to the k-th nearest other point of its own set, its edge included.

    .. math:: \text{density} = \frac{1}{k M} \sum_j \sum_i 1[\|y_j - x_i\| \le r_k(x_i)], \qquad
              \text{coverage} = \frac{1}{N} \sum_i 1[\min_j \|y_j - x_i\| \le r_k(x_i)]

    Precision and recall rise with outliers, whose balls are large; density and coverage do not. For fake points of
    the real law and large sets, precision, recall and density are about 1 and coverage is about ``1 - 2^-k`` (equal
    numbers).

    Args:
        real: real points x ``[N, F]``.
        fake: generated points y ``[M, F]``; compare methods at equal M.
        neighbours: k, the neighbour of a point that its ball reaches to.

    Raises:
        ValueError: if widths differ, or a set has no k-th neighbour.

    Source: Naeem et al. (2020), arXiv 2002.09797; precision and recall: Kynkäänniemi et al. (2019), arXiv 1904.06991.
    Differs from the authors' code in: distances are computed in blocks, and from differences rather than products, so
    that equal points are at distance zero.

    >>> x = torch.tensor([[0.0], [1.0], [2.0], [9.0]])
    >>> overlap(x, x, neighbours=1)
    Overlap(precision=1.0, recall=1.0, density=2.25, coverage=1.0)
    """
    check.at_least("overlap", 1, neighbours=neighbours)
    _comparable("overlap", real, fake)
    if min(len(real), len(fake)) <= neighbours:
        raise ValueError(
            f"overlap: expected more than {neighbours} points in each set, found {len(real)} real and {len(fake)} "
            "fake ones. Pass more, or lower neighbours."
        )
    real, fake = real.double(), fake.double()
    real_radius, fake_radius = (_radii(x, neighbours) for x in (real, fake))
    inside = torch.zeros(len(fake), dtype=torch.int64, device=real.device)  # in how many real balls each fake point is
    recalled, covered = [], []
    for rows, radius in zip(torch.split(real, _ROWS), torch.split(real_radius, _ROWS), strict=True):
        distance = _distances(rows, fake)  # [n, M]
        hit = distance <= radius[:, None]
        inside += hit.sum(0)
        covered.append(hit.any(1))
        recalled.append((distance <= fake_radius).any(1))
    return Overlap(
        (inside > 0).double().mean().item(),
        torch.cat(recalled).double().mean().item(),
        inside.double().mean().item() / neighbours,
        torch.cat(covered).double().mean().item(),
    )


def memorisation(fake: Tensor, train: Tensor, held_out: Tensor) -> float:
    """Median distance of fake points to the nearest training point, over that of held-out points.

    About 1: as near to the training points as new points are. Near 0: copies. Above 1: away from all of them. Blurred
    images are near to everything, so that a value somewhat below 1 is no proof of copying.

    Args:
        fake: generated points ``[M, F]``.
        train: training points ``[N, F]``.
        held_out: points ``[H, F]`` that follow the same law as the training points.

    Raises:
        ValueError: if widths differ, or the held-out points are copies of training points themselves.

    >>> train, held_out = torch.tensor([[0.0], [10.0]]), torch.tensor([[1.0], [9.0]])
    >>> memorisation(train + 0.5, train, held_out)
    0.5
    """
    _comparable("memorisation", train, fake)
    _comparable("memorisation", train, held_out)
    ours, theirs = (nearest_distance(x, train).median().item() for x in (fake, held_out))
    if theirs == 0:
        raise ValueError("memorisation: expected held-out points that are new, found copies. Remove the duplicates.")
    return ours / theirs


def nearest_distance(x: Tensor, others: Tensor) -> Tensor:
    """Distance of each point ``[M, F]`` to the nearest of others ``[N, F]``: float64 ``[M]``.

    Matrix products find the few nearest candidates; their distances are then computed from differences.
    """
    few = min(_CANDIDATES, len(others))
    centre = others.mean(0)
    found = []
    for rows in torch.split(x, _ROWS):
        candidates = torch.cdist(rows - centre, others - centre).topk(few, 1, largest=False).indices  # [m, few]
        gap = rows[:, None].double() - others[candidates].double()
        found.append(torch.linalg.vector_norm(gap, dim=-1).amin(1))
    return torch.cat(found)


def imbalance(label: Tensor, share: Tensor) -> float:
    r"""Total variation between the classes of samples and what they should be.

    .. math:: \tfrac{1}{2} \sum_c |\hat p_c - p_c|

    This is the share of the samples that would have to change their class.

    Args:
        label: classes ``[N]`` from 0 to C - 1.
        share: p ``[C]``, the classes' shares, summing to one: uniform, or those of the data.

    Raises:
        ValueError: if there are no labels, or one is none of the C classes.

    >>> imbalance(torch.tensor([0, 0, 0, 1]), torch.tensor([0.5, 0.5]))
    0.25
    """
    if label.numel() == 0 or int(label.min()) < 0 or int(label.max()) >= len(share):
        raise ValueError(f"imbalance: expected labels from 0 to {len(share) - 1}, found others or none.")
    return (shares(label, len(share)) - share.double()).abs().sum().item() / 2


def shares(label: Tensor, classes: int) -> Tensor:
    """The share of each class among labels ``[N]``: float64 ``[C]``."""
    return torch.bincount(label, minlength=classes).double() / len(label)


class Geometry(NamedTuple):
    """The size of a latent law's components and how far they stand apart.

    Attributes:
        log_det: mean over components of the log-determinant of the covariance.
        variance: mean over components of the trace of the covariance, squared embedding units.
        spread: mean distance between two components' means; None for one component.
    """

    log_det: float
    variance: float
    spread: float | None


@torch.no_grad()
def latent_geometry(law: JointGaussian | JointMixture) -> Geometry:
    """The figures of the source's table 2, without weights: every component counts alike.

    The table's headings have no formulas; its figures are consistent if the variance is read as the trace.

    Raises:
        ValueError: if the law is a batch of laws.

    Source: Huang (2026), arXiv 2603.26799, table 2.

    >>> latent_geometry(JointMixture(torch.zeros(2), torch.tensor([[0.0, 0.0], [3.0, 4.0]]), torch.ones(1, 2)))
    Geometry(log_det=0.0, variance=2.0, spread=5.0)
    """
    if law.batch_shape.numel() != 1:
        raise ValueError(
            f"latent_geometry: expected one law, found a batch of shape {list(law.batch_shape)}. Pass one."
        )
    if isinstance(law, JointGaussian):
        eigenvalues = torch.linalg.eigvalsh(law.covariance.double())
        return Geometry(eigenvalues.log().sum(-1).mean().item(), eigenvalues.sum(-1).mean().item(), None)
    components = law.components
    eigenvalues = torch.linalg.eigvalsh(components.covariance.double())  # [K or 1, E]
    spread = torch.pdist(law.loc.double().reshape(law.count, law.dim)).mean().item() if law.count > 1 else None
    return Geometry(eigenvalues.log().sum(-1).mean().item(), eigenvalues.sum(-1).mean().item(), spread)


def _radii(x: Tensor, neighbours: int) -> Tensor:
    """Distance of each point to its k-th nearest other point; the nearest of all is the point itself."""
    return torch.cat([_distances(rows, x).kthvalue(neighbours + 1, 1).values for rows in torch.split(x, _ROWS)])


def _distances(x: Tensor, y: Tensor) -> Tensor:
    return torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist")


def _comparable(where: str, x: Tensor, y: Tensor) -> None:
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or not (len(x) and len(y)):
        raise ValueError(
            f"{where}: expected points of one width, found shapes {list(x.shape)} and {list(y.shape)}. "
            "Flatten them, and measure both in one space."
        )
