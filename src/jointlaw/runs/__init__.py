"""Runs: a recipe, its setup, and the folder that keeps what came of them and opens anywhere.

A run is made by ``Run.new(recipe, setup).train()``; options of a recipe are bound by ``functools.partial``:

>>> from functools import partial
>>> from jointlaw.runs import Run, RunSettings, Setup
>>> from jointlaw.training.recipes import rectified_lpjepa
>>> recipe = partial(rectified_lpjepa, activity=0.1, width=64)
>>> run = Run.new(recipe, Setup(data="digits", run=RunSettings(epochs=5)))
>>> run.configuration.recipe, run.shape
('rectified-lpjepa', None)

``run.train()`` writes the folder: ``config.yaml``, ``run.json`` (shape of a sample, class names, digests of weights),
``metrics.csv``, ``checkpoints/``, ``encoder.safetensors``, ``results.json``, ``report.html``. ``Run.open(folder)``
opens it without its data; what it may import is jointlaw's, unless you trust it. Then:

- ``run.embed(x)``: a `jointlaw.evaluation.Table` of features and embeddings;
- ``run.judge()``, ``run.probe()``, ``run.report()``: figures, and a page that a notebook shows;
- ``run.fit(Mixture(components=50))``, ``run.decode()``, ``run.sample()``: a joint law over its representations, a
  decoder, and draws.

`load_encoder` gives the trained network as an `Encoder`, a picklable function, without the training framework. What
``config.yaml`` holds is a `Configuration`, the files of a folder are a `Workspace`, and `environment` lists the
versions that a result depends on.
"""

from typing import TYPE_CHECKING

from jointlaw._lazy import attach

if TYPE_CHECKING:
    from jointlaw.runs._configuration import Configuration
    from jointlaw.runs._encoder import Encoder, load_encoder
    from jointlaw.runs._environment import environment
    from jointlaw.runs._folder import Workspace
    from jointlaw.runs._run import Run
    from jointlaw.runs._setup import RunSettings, Setup

__all__ = [
    "Configuration",
    "Encoder",
    "Run",
    "RunSettings",
    "Setup",
    "Workspace",
    "environment",
    "load_encoder",
]

__getattr__, __dir__ = attach(
    __name__,
    _configuration="Configuration",
    _encoder="Encoder load_encoder",
    _environment="environment",
    _folder="Workspace",
    _run="Run",
    _setup="RunSettings Setup",
)
