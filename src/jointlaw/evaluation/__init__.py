"""Evaluation: tables of embeddings, and what can be measured on them.

`embed` runs a frozen learner over views and gives a `Table` of features and embeddings, which `write_table` keeps in
one file and `read_table` reads; an `Embedder` is a learner with its views. Most other functions take tensors, wherever
they come from. Shapes that do not fit and numbers out of range are a ``ValueError``, which says what to do.

>>> import torch
>>> from jointlaw import RectifiedGeneralizedGaussian
>>> from jointlaw.evaluation import dead_units, ks_distance, l0
>>> law = RectifiedGeneralizedGaussian.with_activity(0.25)
>>> z = law.sample((4000, 8), torch.Generator().manual_seed(0))
>>> round(l0(z), 2), dead_units(z), bool(ks_distance(z, law).max() < 0.03)
(0.25, 0.0, True)

Sparsity: `l0`, `l1`, `unit_activity`, `dead_units`, `unit_entropy`. Fidelity to a law: `ks_distance`,
`wasserstein_units`, `unit_quantiles`. Geometry: `alignment`, `uniformity`. Usefulness: `linear_probe`, `knn_probe`,
`few_shot`. Conditional laws: `nll`, `energy_score`, `reliability`, `coverage`, `sharpness`, `branches_recovered`,
`auroc`. `judge` measures a trained learner by all that applies; `FIGURES` says of each `Figure` what it is called, in
which unit, and what it means.

A `DensityRecipe` (`Gaussian`, `Mixture`, `Gas` or `Network`) fits a density to a `PairTable` of contexts and targets;
`Trained` is the law that a recipe such as gmje-gng learned already.
`Which` says whether these are features or embeddings, `Target` whether the target is another view or the clean sample.
``Run.fit`` gives `FittedPairs`: the density with the `Reduction` of representations to their principal components.
"""

from typing import TYPE_CHECKING

from jointlaw._lazy import attach

if TYPE_CHECKING:
    from jointlaw.evaluation._calibration import (
        auroc,
        branches_recovered,
        coverage,
        energy_score,
        nll,
        reliability,
        sharpness,
    )
    from jointlaw.evaluation._embed import Embedder, embed
    from jointlaw.evaluation._fidelity import ks_distance, unit_quantiles, wasserstein_units
    from jointlaw.evaluation._figures import FIGURES, Figure
    from jointlaw.evaluation._fitting import DensityRecipe, FittedPairs, Gas, Gaussian, Mixture, Network, Trained
    from jointlaw.evaluation._geometry import alignment, uniformity
    from jointlaw.evaluation._joint import PairTable, Reduction, Target
    from jointlaw.evaluation._judge import judge
    from jointlaw.evaluation._probes import few_shot, knn_probe, linear_probe
    from jointlaw.evaluation._sparsity import dead_units, l0, l1, unit_activity, unit_entropy
    from jointlaw.evaluation._table import Table, Which, read_table, write_table

__all__ = [
    "FIGURES",
    "DensityRecipe",
    "Embedder",
    "Figure",
    "FittedPairs",
    "Gas",
    "Gaussian",
    "Mixture",
    "Network",
    "PairTable",
    "Reduction",
    "Table",
    "Target",
    "Trained",
    "Which",
    "alignment",
    "auroc",
    "branches_recovered",
    "coverage",
    "dead_units",
    "embed",
    "energy_score",
    "few_shot",
    "judge",
    "knn_probe",
    "ks_distance",
    "l0",
    "l1",
    "linear_probe",
    "nll",
    "read_table",
    "reliability",
    "sharpness",
    "uniformity",
    "unit_activity",
    "unit_entropy",
    "unit_quantiles",
    "wasserstein_units",
    "write_table",
]

__getattr__, __dir__ = attach(  # scikit-learn and pyarrow take seconds to import
    __name__,
    _calibration="auroc branches_recovered coverage energy_score nll reliability sharpness",
    _embed="Embedder embed",
    _figures="FIGURES Figure",
    _fidelity="ks_distance unit_quantiles wasserstein_units",
    _fitting="DensityRecipe FittedPairs Gas Gaussian Mixture Network Trained",
    _joint="PairTable Reduction Target",
    _geometry="alignment uniformity",
    _judge="judge",
    _probes="few_shot knn_probe linear_probe",
    _sparsity="dead_units l0 l1 unit_activity unit_entropy",
    _table="Table Which read_table write_table",
)
