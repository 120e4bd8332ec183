"""Recipes: one function per paper, its defaults and nothing else. Each signature is a command of ``jointlaw train``.

A recipe returns a `Method`: an objective, what makes its projector, and what counts as collapse. `GROUPS` lists the
recipes by what they do, `RECIPES` by name; in Python, options are bound by ``functools.partial``.

>>> method = RECIPES["rectified-lpjepa"](activity=0.1, width=64)
>>> method.projector(256)[-1].out_features, round(float(method.objective.law.activity), 3)
(64, 0.1)

To match a law: `rectified_lpjepa`, `rectified_lpjepa_paper`, `lejepa`, `vicreg`, `nvicreg`. To contrast: `simclr`,
`ncl`, `moco`, `smc_gmje`. To predict: `byol`, `jepa`, `swav`. To maximise a joint likelihood: `primal_gje`,
`primal_hsic`, `dual_gje`, `gmje`, `gmje_gng`, `gmje_mdn`, `smc_gmje_joint`, and `naive_gje`, which collapses to show
it. `compose` puts anything together.
"""

from collections.abc import Callable

from jointlaw.training.recipes._contrastive import moco, ncl, simclr, smc_gmje
from jointlaw.training.recipes._joint import (
    dual_gje,
    gmje,
    gmje_gng,
    gmje_mdn,
    naive_gje,
    primal_gje,
    primal_hsic,
    smc_gmje_joint,
)
from jointlaw.training.recipes._laws import compose, rectified_lpjepa, rectified_lpjepa_paper
from jointlaw.training.recipes._method import Method
from jointlaw.training.recipes._moments import lejepa, nvicreg, vicreg
from jointlaw.training.recipes._predictive import byol, jepa, swav

__all__ = [
    "GROUPS",
    "RECIPES",
    "Method",
    "byol",
    "compose",
    "dual_gje",
    "gmje",
    "gmje_gng",
    "gmje_mdn",
    "jepa",
    "lejepa",
    "moco",
    "naive_gje",
    "ncl",
    "nvicreg",
    "primal_gje",
    "primal_hsic",
    "rectified_lpjepa",
    "rectified_lpjepa_paper",
    "simclr",
    "smc_gmje",
    "smc_gmje_joint",
    "swav",
    "vicreg",
]

GROUPS: dict[str, dict[str, Callable[..., Method]]] = {
    "match a law": {
        "rectified-lpjepa": rectified_lpjepa,
        "rectified-lpjepa-paper": rectified_lpjepa_paper,
        "lejepa": lejepa,
        "vicreg": vicreg,
        "nvicreg": nvicreg,
    },
    "contrast": {"simclr": simclr, "ncl": ncl, "moco": moco, "smc-gmje": smc_gmje},
    "predict": {"byol": byol, "jepa": jepa, "swav": swav},
    "maximise a joint likelihood": {
        "primal-gje": primal_gje,
        "primal-hsic": primal_hsic,
        "dual-gje": dual_gje,
        "gmje": gmje,
        "gmje-gng": gmje_gng,
        "gmje-mdn": gmje_mdn,
        "smc-gmje-joint": smc_gmje_joint,
        "naive-gje": naive_gje,
    },
    "put anything together": {"compose": compose},
}
"""Commands of ``jointlaw train``, by what they do."""

RECIPES: dict[str, Callable[..., Method]] = {
    name: recipe for group in GROUPS.values() for name, recipe in group.items()
}
