"""The noun that everything above training is about: a run, in a folder that opens anywhere."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy.typing as npt
from torch import Tensor

from jointlaw.data import Data, Source
from jointlaw.evaluation._fitting import DensityRecipe, FittedPairs
from jointlaw.evaluation._joint import Target
from jointlaw.evaluation._table import Which
from jointlaw.generation._latents import Half
from jointlaw.runs import _embedding as embedding
from jointlaw.runs import _procedures as procedures
from jointlaw.runs._configuration import Configuration, Recipe
from jointlaw.runs._console import first_process, say, track
from jointlaw.runs._encoder import WEIGHTS, load_weights
from jointlaw.runs._folder import Workspace, reading
from jointlaw.runs._setup import Setup
from jointlaw.views import ViewMaker

if TYPE_CHECKING:
    from jointlaw.evaluation import Table
    from jointlaw.evaluation._embed import Embedder
    from jointlaw.evaluation._judge import Judgement
    from jointlaw.generation import TrainedDecoder
    from jointlaw.report import Page
    from jointlaw.runs._generate import Samples
    from jointlaw.training import Learner


class Run:
    """A recipe, its setup, and the folder in which they were or will be trained.

    ``Run.new(...).train()`` makes one, ``Run.open(folder)`` opens one: with its learner, without its data, whatever
    machine it was trained on.

    Attributes:
        configuration: recipe, options and setup.
        workspace: the files of the folder.
        shape: of a sample, ``(C, H, W)`` or ``(F,)``; known once the run was trained or its data were read.
        classes: names of the classes of the training data.
        elsewhere: whether it was opened with other data than its own.

    >>> from tempfile import TemporaryDirectory
    >>> from jointlaw.runs import RunSettings
    >>> with TemporaryDirectory() as folder:  # doctest: +ELLIPSIS
    ...     settings = RunSettings(Path(folder, "run"), epochs=1, report=False)
    ...     run = Run.new("vicreg", Setup(encoder="mlp", run=settings)).train()
    ...     Run.open(run.workspace.folder).embed("digits").embeddings.shape
    vicreg: 1,438 samples, ...
    torch.Size([1797, 512])
    """

    def __init__(self, configuration: Configuration, data: Data | str | None = None) -> None:
        if configuration.setup.run.folder is None:
            raise ValueError("run: expected a run folder, found none. Name one by --run.folder.")
        self.configuration = configuration
        self.workspace = Workspace(configuration.setup.run.folder)
        self.shape: tuple[int, ...] | None = None
        self.classes: tuple[str, ...] = ()
        self._data = data
        self.elsewhere = False
        self._learner: Learner | None = None
        self._judgement: Judgement | None = None

    @classmethod
    def new(cls, recipe: str | Recipe, setup: Setup | None = None, data: Data | None = None) -> Self:
        """A run that is still to be trained; nothing is read or written yet.

        Args:
            recipe: one of `jointlaw.training.recipes` or its name, or a function of your own, importable by name, that
                returns a `Method`. Options are bound by ``functools.partial(recipe, activity=0.1)``.
            setup: data, views, network, optimiser and run (default: digits in a new folder under ``runs``).
            data: samples in memory, in place of ``setup.data``.

        Raises:
            ValueError: if the recipe or an option cannot be written down.
        """
        configuration = Configuration.of(recipe, setup or Setup())
        return cls(in_new_folder(configuration), data)

    @classmethod
    def open(cls, folder: str | Path, trust: bool = False, data: Data | str | None = None) -> Self:
        """Open a run folder; neither its data nor the network or paths of the training machine are asked for.

        Args:
            folder: the run folder.
            trust: let its configuration import encoders, views or classes of its author's. Without it nothing outside
                jointlaw, torch.optim and timm is run.
            data: other data than the run's own for whatever needs data, such as folder:photos.

        Raises:
            ValueError: if it holds no run, or one that names code from elsewhere.
        """
        workspace = Workspace(Path(folder).expanduser())
        facts, tree = workspace.read_facts(), workspace.read_config()
        with reading(workspace.config):
            configuration = Configuration.from_tree(tree, str(workspace.config), trust).with_views()
            configuration.refuse_strangers()
        setup = configuration.setup
        settings = replace(setup.run, folder=workspace.folder)
        # Data of somebody else's choice are not fetched to a place of their choice.
        here = configuration.settled(replace(setup, run=settings, download=setup.download and trust))
        run = cls(here, data)
        run.elsewhere = data is not None
        run.shape, run.classes = tuple(facts["sample"]), tuple(facts.get("classes", ()))
        return run

    @property
    def setup(self) -> Setup:
        """Data, views, network, optimiser and run."""
        return self.configuration.setup

    @property
    def title(self) -> str:
        """Recipe and data, for headings."""
        return f"{self.configuration.recipe} on {self.data.name if isinstance(self._data, Data) else self.setup.data}"

    @property
    def data(self) -> Data:
        """Training, held-out and probe samples, read when first asked for.

        Raises:
            ValueError: if they are gone, or others have another shape.
        """
        if isinstance(self._data, str):
            self._data = self.load(self._data)
        elif self._data is None:
            try:
                self._data = self.setup.load_data()
            except FileNotFoundError as error:
                if self.shape is not None:
                    error.add_note("To work on other data, name them by --data (Run.open(folder, data=...)).")
                raise
        if self.shape is not None and self._data.train.shape != self.shape:
            raise ValueError(
                f"{self._data.name}: expected samples of shape {self.shape} as in training, found "
                f"{self._data.train.shape}. Name other data by --data."
            )
        return self._data

    def load(self, spec: str) -> Data:
        """Read data in the shape of this run's samples; images are resized to it."""
        if self.shape is None:
            self.shape = self.setup.load_data().train.shape
        return self.setup.load_like(spec, self.shape)

    @property
    def views(self) -> ViewMaker:
        """The maker of views."""
        return self.setup.view_maker(self.configuration.trust)

    @property
    def learner(self) -> "Learner":
        """The trained learner, in evaluation mode, on the CPU.

        Raises:
            ValueError: if the run has not ended, or its weights were changed.
        """
        if self._learner is None:
            content = self.workspace.read_weights(WEIGHTS, "The run has not ended; go on with it by --run.resume.")
            with reading(self.workspace.config):
                learner = self.fresh_learner()
            load_weights(learner, content, self.workspace.folder / WEIGHTS)
            self._learner = learner.eval()
        return self._learner

    def fresh_learner(self) -> "Learner":
        """An untrained learner for this run's samples."""
        shape = self.shape or self.data.train.shape
        return self.setup.learner(self.configuration.method(), shape, self.configuration.trust)

    @property
    def embedder(self) -> "Embedder":
        """The trained learner with its views: from sources to tables."""
        from jointlaw.evaluation._embed import Embedder

        return Embedder(self.learner, self.views, self.setup.run.batch, track)

    def train(self) -> Self:
        """Train into the folder, or go on with what is in it (``setup.run.resume``); then judge and report.

        Raises:
            ValueError: if settings, data or folder do not go together; nothing is written then.
            NonFiniteError: if the loss leaves the numbers; the last good checkpoint stays.
        """
        self._learner = procedures.train(self)
        self._judgement = None
        if self.setup.run.report and first_process():
            self.report()
        return self

    def embed(self, x: Tensor | npt.ArrayLike | Source | str) -> "Table":
        """Features and embeddings of samples, one clean view each.

        Args:
            x: uint8 images ``[N, C, H, W]`` or ``[N, H, W]``, vectors ``[N, F]``, a source, or what ``--data`` takes,
                such as folder:photos: all of its samples, in the order of their file or of their names.

        Raises:
            ValueError: if the samples have another number of channels or features than those of training.
        """
        if isinstance(x, str | Path):
            return embedding.embed_data(self, self.load(str(x)))
        return embedding.embed_sources(self, [embedding.source_for(self, x)])

    def write_embeddings(
        self,
        output: Path,
        *,
        split: embedding.Split = embedding.Split.held_out,
        which: Which = Which.embeddings,
        overwrite: bool = False,
    ) -> "Table":
        """Write the embeddings of a run's samples, or of other data, to a file.

        Args:
            output: .parquet, .npz, or .csr.npz for a SciPy sparse matrix.
            split: which samples: those trained on, those held out, or all (of other data always all).
            which: embeddings of the projector, features of the backbone, or both.
            overwrite: replace an existing file.
        """
        return embedding.write_embeddings(self, output, split, which, overwrite)

    def judge(self) -> dict[str, float | None]:
        """Measure the run on its held-out samples and add the figures to ``results.json``.

        Returns:
            Dotted name -> value, None where there was nothing to measure; `jointlaw.evaluation.FIGURES` explains them.
        """
        return dict(self._judged(anew=True).figures)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the last judgement remarked: symptoms of collapse, and why a probe is missing."""
        return () if self._judgement is None else self._judgement.notes

    def _judged(self, anew: bool) -> "Judgement":
        from jointlaw.evaluation import judge

        if self._judgement is None or anew:
            self._judgement = judge(self.embedder, self.data, self.probe_data(), self.setup.run.seed)
            self.workspace.add_results(self._judgement.figures)
        return self._judgement

    def probe_data(self, spec: str | None = None) -> Data | None:
        """The labelled data for probes: ``spec``, else ``setup.probe_data``, else the run's own if they have labels.

        Raises:
            ValueError: if the data named have no labels.
        """
        spec = spec or self.setup.probe_data
        other = self.data if spec is None else self.load(spec)
        if other.probe.labelled and other.held_out.labelled:
            return other
        if spec is None:
            return None
        raise ValueError(f"probe_data: expected labelled samples, found none in {spec}. Leave it out.")

    def probe(self, *, probe_data: str | None = None) -> dict[str, float | None]:
        """Fit the linear, nearest-neighbour and few-shot probes of a run anew.

        Args:
            probe_data: labelled data to probe on, in place of the run's own.

        Raises:
            ValueError: if there are no labels.
        """
        from jointlaw.evaluation._judge import probe_figures

        found = self.probe_data(probe_data)
        if found is None:
            raise ValueError("probe: expected labelled data, found no labels. Name labelled data by --probe-data.")
        figures, notes = probe_figures(self.embedder, found, self.setup.run.seed)
        say(*notes)
        return figures

    def report(self) -> "Page":
        """Judge a run (anew, if it was opened) and write its results.json and report.html."""
        from jointlaw.report import run_page
        from jointlaw.runs._contents import contents

        known = contents(self, self._judged(anew=False))
        for _ in track([known], "drawing the report", 1):  # a step of one: it says what takes the time
            page = run_page(known)
        page.write(self.workspace.report)
        return page

    def fit(
        self,
        density: DensityRecipe | None = None,
        *,
        which: Which | None = None,
        dim: int | None = None,
        target: Target = Target.view,
        seed: int = 0,
        ood: str | None = None,
    ) -> FittedPairs:
        """Fit a density to the representations of a run: likelihoods, uncertainty, what is new.

        Args:
            density: Gaussian, Mixture, Gas (growing neural gas), Network (mixture density network), or Trained, the law
                that was learned in training (default: Trained where there is such a law of what is asked for, else
                Mixture).
            which: features of the backbone or embeddings of the projector (default: embeddings for Trained, else
                features).
            dim: principal components of the representations that the density sees (default: 32, or as many as there
                are).
            target: what a drawn view predicts: another view, or the clean sample (so that free samples look like whole
                images).
            seed: determines the drawn views, and starts and orders of the fit.
            ood: other data, to be told from the run's own by likelihood.
        """
        from jointlaw.runs._fit import fit

        return fit(self, density, which, dim, target, seed, ood)

    def decode(self, *, which: Which | None = None, epochs: int | None = None, seed: int = 0) -> "TrainedDecoder":
        """Train a decoder that turns a run's representations back into images.

        Args:
            which: features of the backbone or embeddings of the projector (default: those of the run's density, to
                sample it; features, where there is none).
            epochs: passes over the training samples (default: as many as see about 600,000 of them, at least 10).
            seed: determines initial weights and the order of samples.
        """
        from jointlaw.runs._decode import decode

        return decode(self, which, epochs, seed)

    @property
    def decoder(self) -> "TrainedDecoder":
        """The decoder that ``decode`` trained.

        Raises:
            ValueError: if there is none, or it was changed.
        """
        from jointlaw.runs._decode import load_decoder

        return load_decoder(self)

    @property
    def history(self) -> dict[str, list[tuple[float, float]]]:
        """The curves in ``metrics.csv``: name -> ``(step, value)`` pairs; empty before the first row was written."""
        from jointlaw.runs._history import read_curves

        return read_curves(self.workspace.folder / "metrics.csv")

    def sample(self, *, count: int = 64, given: Half | None = None, seed: int = 0) -> "Samples":
        """Draw images from a run's density through its decoder, or complete half-seen images.

        Args:
            count: images to draw; completions, eight to an image.
            given: the half of held-out images that is seen, left or top; without it images are drawn freely.
            seed: determines the draws, and which images are completed.
        """
        from jointlaw.runs._generate import complete, sample

        return sample(self, count, seed) if given is None else complete(self, Half(given), count, seed)


def in_new_folder(configuration: Configuration) -> Configuration:
    """The configuration with a folder named after recipe, data and time, where it has none."""
    setup = configuration.setup
    if setup.run.folder is not None:
        return configuration
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    data = "".join(letter if letter.isalnum() else "-" for letter in setup.data).strip("-")
    recipe = configuration.recipe.rpartition(":")[2]
    folder = Path("runs") / f"{recipe}-{data}-{stamp}"
    return configuration.settled(replace(setup, run=replace(setup.run, folder=folder)))
