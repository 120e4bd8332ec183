"""Pure functions of tensors: the formulas of the library.

Each is a plain function of its arguments, says every reduction, and computes in float32 or better whatever autocast
says. Classes with weights and state are made of them.

>>> import torch
>>> z = torch.randn(256, 16, generator=torch.Generator().manual_seed(0))
>>> round(rankme(z)), round(variance_hinge(z).item(), 1), bool(nhsic(z, z.square()) > 0)
(16, 0.0, True)

- Batch against a law: `sliced_wasserstein` and `sigreg`, both in the plain form of the official code.
- Moments: `variance_hinge`, `covariance_penalty`, `log_det_entropy`; effective rank: `rankme`.
- Contrast, on `unit` vectors: `nt_xent`, `info_nce`; balanced assignments: `sinkhorn`.
- Dependence: `hsic`, and normalised `nhsic`.
- Weighted particles: `systematic`, `stratified`, `multinomial` and `residual` resampling, `effective_sample_size`.
"""

from jointlaw.functional._characteristic import sigreg
from jointlaw.functional._contrast import info_nce, nt_xent, sinkhorn, unit
from jointlaw.functional._dependence import hsic, nhsic
from jointlaw.functional._matching import sliced_wasserstein
from jointlaw.functional._moments import covariance_penalty, log_det_entropy, variance_hinge
from jointlaw.functional._resampling import effective_sample_size, multinomial, residual, stratified, systematic
from jointlaw.functional._spectrum import rankme

__all__ = [
    "covariance_penalty",
    "effective_sample_size",
    "hsic",
    "info_nce",
    "log_det_entropy",
    "multinomial",
    "nhsic",
    "nt_xent",
    "rankme",
    "residual",
    "sigreg",
    "sinkhorn",
    "sliced_wasserstein",
    "stratified",
    "systematic",
    "unit",
    "variance_hinge",
]
