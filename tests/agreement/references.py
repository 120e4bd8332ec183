"""The published formulas written out plainly, apart from the library: loops, exponentials, no shortcuts."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def nt_xent(z: Tensor, temperature: float) -> Tensor:
    """Chen et al. (2020), eq. 1, sample by sample over ``[2, B, D]``."""
    rows = F.normalize(z.flatten(0, 1), dim=1)
    count, losses = z.shape[1], []
    for i in range(2 * count):
        similarity = (rows @ rows[i] / temperature).exp()
        others = torch.arange(2 * count) != i
        losses.append(-(similarity[(i + count) % (2 * count)] / similarity[others].sum()).log())
    return torch.stack(losses).mean()


def moco(query: Tensor, key: Tensor, bank: Tensor, temperature: float) -> Tensor:
    """He et al. (2020), algorithm 1: cross-entropy of logits with the positive first."""
    query, key = F.normalize(query, dim=1), F.normalize(key, dim=1)
    logits = torch.cat([(query * key).sum(1, keepdim=True), query @ bank.T], dim=1) / temperature
    return F.cross_entropy(logits, torch.zeros(len(query), dtype=torch.int64))


def vicreg(z: Tensor) -> Tensor:
    """The official code of Bardes et al. (2022): 25, 25, 1; the mean of the hinges, the sum of the covariances."""
    hinges, covariances = [], []
    for view in z:
        centred = view - view.mean(0)
        covariance = centred.T @ centred / (len(view) - 1)
        hinges.append(F.relu(1 - (covariance.diagonal() + 1e-4).sqrt()).mean())
        off = covariance - torch.diag(covariance.diagonal())
        covariances.append(off.square().sum() / view.shape[1])
    return 25 * F.mse_loss(z[0], z[1]) + 25 * (hinges[0] + hinges[1]) / 2 + covariances[0] + covariances[1]


def codes(scores: Tensor, iterations: int = 3, epsilon: float = 0.05) -> Tensor:
    """Caron et al. (2020): rows and columns scaled in turn, with exponentials."""
    q = (scores / epsilon).exp().T
    q = q / q.sum()
    for _ in range(iterations):
        q = q / q.sum(1, keepdim=True) / q.shape[0]
        q = q / q.sum(0, keepdim=True) / q.shape[1]
    return (q * q.shape[1]).T


def swav(z: Tensor, prototypes: Tensor, temperature: float = 0.1) -> Tensor:
    """The first two views give codes, every other view predicts them."""
    scores = F.normalize(z, dim=2) @ F.normalize(prototypes, dim=1).T
    total = z.new_zeros(())
    for coded in range(2):
        target = codes(scores[coded].detach())
        for view in range(len(z)):
            if view != coded:
                predicted = (scores[view] / temperature).softmax(1)
                total = total - (target * predicted.log()).sum(1).mean() / (len(z) - 1) / 2
    return total


def byol(predicted: Tensor, target: Tensor) -> Tensor:
    """Grill et al. (2020), eq. 2, in both directions: squared distances of unit vectors."""
    p, t = F.normalize(predicted, dim=2), F.normalize(target, dim=2)
    return (p[0] - t[1]).square().sum(1).mean() + (p[1] - t[0]).square().sum(1).mean()


def sigreg(z: Tensor, slices: Tensor) -> Tensor:
    """The statistic of Epps and Pulley as LeJEPA computes it: 17 nodes on [0, 3], doubled, times the batch."""
    t = torch.linspace(0, 3, 17, dtype=z.dtype)
    normal = (-t.square() / 2).exp()
    views = []
    for view in z:
        angle = (view @ slices.T)[..., None] * t  # [B, N, T]
        error = (angle.cos().mean(0) - normal).square() + angle.sin().mean(0).square()
        views.append(2 * torch.trapezoid(error * normal, t) * len(view))
    return torch.stack(views).mean()


def gaussian_process(context: Tensor, target: Tensor, length: float, noise: float) -> Tensor:
    """Minus the log-density of every coordinate of the target under N(0, K + noise I), less its constant."""
    distance = (context[:, None] - context).square().sum(2)
    covariance = (-distance / (2 * length**2)).exp() + noise * torch.eye(len(context), dtype=context.dtype)
    law = torch.distributions.MultivariateNormal(torch.zeros(len(context), dtype=context.dtype), covariance)
    return -law.log_prob(target.T).sum() - target.numel() / 2 * math.log(2 * math.pi)
