"""One function per paper: its defaults and nothing else. Each signature is a command of ``jointlaw train``."""

from collections.abc import Callable

from jointlaw.training.recipes._contrastive import moco, ncl, simclr, smc_gmje
from jointlaw.training.recipes._joint import dual_gje, gmje, gmje_mdn, naive_gje, primal_gje
from jointlaw.training.recipes._laws import compose, rectified_lpjepa, rectified_lpjepa_paper
from jointlaw.training.recipes._method import Method
from jointlaw.training.recipes._moments import lejepa, nvicreg, vicreg
from jointlaw.training.recipes._predictive import byol, jepa, swav

__all__ = ["GROUPS", "RECIPES", "Method"]

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
        "dual-gje": dual_gje,
        "gmje": gmje,
        "gmje-mdn": gmje_mdn,
        "naive-gje": naive_gje,
    },
    "put anything together": {"compose": compose},
}
"""Commands of ``jointlaw train``, by what they do."""

RECIPES: dict[str, Callable[..., Method]] = {
    name: recipe for group in GROUPS.values() for name, recipe in group.items()
}
