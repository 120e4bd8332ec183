"""What a report is made of: plain data, so that the page can be written from a run folder or by hand."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from jointlaw.laws import JointMixture, Law


@dataclass(frozen=True, eq=False)
class Contents:
    """Everything a report shows; what is missing is left out of the page, with a sentence why.

    Attributes:
        title: the page's heading.
        embeddings: ``[N, D]`` projector outputs of held-out samples.
        features: ``[N, F]`` backbone outputs of the same samples.
        label: ``[N]`` class indices, -1 where unknown.
        command: what makes the run again.
        figures: the run's ``results.json``.
        history: curves of the run's ``metrics.csv``: name -> ``(step, value)`` pairs.
        law: the law that every unit was matched to.
        joint: the law of pairs of embeddings ``[2 D]`` that was learned along with them.
        edges: ``[m, 2]`` pairs of components of the joint law that a graph joins.
        drawn: ``[M, D]`` embeddings of held-out samples in views drawn as in training: what the law was asked of.
            None: the law is judged on ``embeddings``.
        class_names: names of the classes; a class beyond the list is called by its number.
        names: the N samples' names, such as file names.
        images: ``[N, C, H, W]`` uint8 with 1 or 3 channels, or None where the data are no images.
        config: the configuration as YAML.
        environment: versions and hardware, as text.
        warnings: sentences a reader must see first, such as skipped files.

    Raises:
        ValueError: if the arrays disagree in length, are empty, or hold values that are not finite.

    >>> z = np.ones((3, 2))
    >>> Contents("Mine", embeddings=z, features=z, label=np.array([0, 1, -1]), figures={"seed": 0}).classes
    [0, 1]
    """

    title: str
    embeddings: npt.NDArray[np.floating]
    features: npt.NDArray[np.floating]
    label: npt.NDArray[np.integer]
    command: str = ""
    figures: Mapping[str, float | int | None] = field(default_factory=dict)
    history: Mapping[str, Sequence[tuple[float, float]]] = field(default_factory=dict)
    law: Law | None = None
    joint: JointMixture | None = None
    edges: npt.NDArray[np.integer] | None = None
    drawn: npt.NDArray[np.floating] | None = None
    class_names: Sequence[str] = ()
    names: Sequence[str] | None = None
    images: npt.NDArray[np.uint8] | None = None
    config: str = ""
    environment: str = ""
    warnings: Sequence[str] = ()

    def __post_init__(self) -> None:
        for name, table in (("embeddings", self.embeddings), ("features", self.features), ("drawn", self.matched)):
            if table.ndim != 2 or len(table) < 2:
                raise ValueError(
                    f"Contents: expected {name} [N, width] with N >= 2, found shape {list(table.shape)}. "
                    "Embed at least two samples."
                )
            if not np.isfinite(table).all():
                raise ValueError(
                    f"Contents: expected finite {name}, found NaN or inf. Report an earlier checkpoint of the run."
                )
        for name, column in (("features", self.features), ("label", self.label), ("names", self.names)):
            self._same_length(name, column)
        self._same_length("images", self.images)
        if self.law is not None and self.law.batch_shape.numel() != 1:
            raise ValueError(
                f"Contents: expected one law for all units, found batch shape {list(self.law.batch_shape)}. "
                "Report the units of one law at a time."
            )
        if self.images is not None and (self.images.ndim != 4 or self.images.shape[1] not in (1, 3)):
            raise ValueError(
                f"Contents: expected images [N, C, H, W] with C = 1 or 3, found shape {list(self.images.shape)}. "
                "Pass images=None for data that are no pictures."
            )

    def _same_length(self, name: str, column: npt.NDArray[np.generic] | Sequence[str] | None) -> None:
        if column is not None and len(column) != len(self.embeddings):
            raise ValueError(
                f"Contents: expected {len(self.embeddings)} {name}, one per embedding, found {len(column)}. "
                "Pass the same samples in the same order."
            )

    @property
    def matched(self) -> npt.NDArray[np.floating]:
        """The embeddings on which the law is judged."""
        return self.embeddings if self.drawn is None else self.drawn

    @property
    def planned_activity(self) -> float | None:
        """The share of active units that the law asks for; the run's own figure where there is no law object."""
        if self.law is None:
            return self.figure("sparsity.l0_expected")
        return float(self.law.activity)

    @property
    def labelled(self) -> bool:
        """Whether any sample has a known class."""
        return bool((self.label >= 0).any())

    @property
    def classes(self) -> list[int]:
        """The classes that occur, ascending, without -1."""
        return sorted({int(value) for value in self.label} - {-1})

    def figure(self, key: str) -> float | None:
        """One of the run's figures, or None where it is missing or not finite."""
        value = self.figures.get(key)
        return float(value) if value is not None and math.isfinite(value) else None

    def curve(self, key: str) -> list[tuple[float, float]]:
        """The finite points of one of the run's curves; empty where it was not logged."""
        return [(step, value) for step, value in self.history.get(key, ()) if math.isfinite(value)]

    def name(self, index: int) -> str:
        """The name of a sample, its number where it has none."""
        return f"sample {index}" if self.names is None else self.names[index]

    def class_name(self, label: int) -> str:
        """The name of a class, its number where it has none, and "unlabelled" for -1."""
        if label < 0:
            return "unlabelled"
        return self.class_names[label] if label < len(self.class_names) else f"class {label}"
