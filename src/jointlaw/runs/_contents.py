"""What the report of a run is made of."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from jointlaw.densities import GrowingPrototypes
from jointlaw.objectives import GMJE

if TYPE_CHECKING:
    from jointlaw.evaluation._judge import Judgement
    from jointlaw.report import Contents
    from jointlaw.runs._run import Run

SHOWN = 2_000
"""Held-out samples in a report; more make the page heavy and nothing clearer."""


def contents(run: "Run", judgement: "Judgement") -> "Contents":
    """The contents of a run's report, from its folder and its judgement."""
    from jointlaw.report import Contents

    workspace, held_out = run.workspace, run.data.held_out
    shown = torch.randperm(len(held_out), generator=torch.Generator().manual_seed(0))[:SHOWN].sort().values
    clean, pictures = judgement.clean, held_out.read(shown)
    return Contents(
        title=run.title,
        embeddings=clean.embeddings[shown].numpy(),
        features=clean.features[shown].numpy(),
        drawn=judgement.drawn.embeddings.numpy(),
        label=clean.label[shown].numpy(),
        command=f"jointlaw train {run.configuration.recipe} --config {workspace.config.name} --run.folder=NEW",
        figures=workspace.read_results(),
        history=run.history,
        law=run.learner.objective.law,
        joint=run.learner.objective.joint_law,
        edges=_edges(run),
        class_names=held_out.classes,
        names=tuple(held_out.names[i] for i in shown.tolist()) if held_out.names else None,
        images=pictures.numpy() if pictures.dtype == torch.uint8 else None,
        config=workspace.config.read_text(encoding="utf-8"),
        environment=(workspace.folder / "environment.txt").read_text(encoding="utf-8"),
        warnings=(*run.data.notes, *judgement.notes),
    )


def _edges(run: "Run") -> npt.NDArray[np.integer] | None:
    """The edges between components, where they are vertices of a graph."""
    objective = run.learner.objective
    if isinstance(objective, GMJE) and isinstance(objective.density, GrowingPrototypes):
        edges: npt.NDArray[np.integer] = objective.density.edges.numpy()
        return edges
    return None
