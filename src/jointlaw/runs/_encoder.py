"""A trained network as a function of raw samples: what others need of a run, without the training framework."""

import json
from pathlib import Path
from typing import Any

import numpy.typing as npt
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from jointlaw import __version__
from jointlaw._files import metadata
from jointlaw.data._samples import centre_squares
from jointlaw.objectives import Objective
from jointlaw.runs._configuration import Configuration
from jointlaw.runs._folder import Workspace, reading
from jointlaw.views import ViewMaker

WEIGHTS = "encoder.safetensors"
PARTS = ("encoder", "projector", "objective")
"""What makes embeddings of samples: an objective may rectify above thresholds that it has learned."""

_ROWS = 256  # samples at a time: bounds the memory, does not change the values


class Encoder(nn.Module):
    """A trained encoder, projector and objective as one picklable function, in evaluation mode.

    ``encoder(x)`` gives embeddings ``[N, D]``, activated as the loss saw them; ``encoder.features(x)`` the backbone's
    features ``[N, F]``. Both are float32 and carry no gradient. It computes where its parameters are (``.to("cuda")``).

    Attributes:
        shape: of a sample in training, ``(C, H, W)`` or ``(F,)``; images of other sizes are resized as views are.

    Use `load_encoder` to make one.

    >>> from jointlaw import VICReg, views
    >>> encoder = Encoder(nn.Linear(4, 3), nn.Linear(3, 2), VICReg(), views.view_maker(views.tensor()), shape=(4,))
    >>> encoder([[0, 1, 2, 3]]).shape, encoder.features([[0, 1, 2, 3]]).shape
    (torch.Size([1, 2]), torch.Size([1, 3]))
    """

    def __init__(
        self, encoder: nn.Module, projector: nn.Module, objective: Objective, views: ViewMaker, shape: tuple[int, ...]
    ) -> None:
        super().__init__()
        self.encoder, self.projector, self.objective = encoder, projector, objective
        self.views, self.shape = views, shape
        self.eval()

    def forward(self, x: Tensor | npt.ArrayLike) -> Tensor:
        """Embeddings ``[N, D]`` of samples, on the CPU.

        Args:
            x: uint8 images ``[N, C, H, W]`` (``[N, H, W]`` if grey), images as floats in [0, 1], or vectors ``[N, F]``
                of any number type, as a tensor, an array or nested lists.

        Raises:
            ValueError: if samples have another number of channels or features, or floats of images leave [0, 1].
        """
        return self._through(x, embeddings=True)

    def features(self, x: Tensor | npt.ArrayLike) -> Tensor:
        """Features ``[N, F]`` of the backbone, on the CPU; see ``forward``."""
        return self._through(x, embeddings=False)

    @torch.inference_mode()
    def _through(self, x: Tensor | npt.ArrayLike, embeddings: bool) -> Tensor:
        samples, found = self._samples(x), []
        device = next(self.parameters()).device
        for rows in torch.split(samples, _ROWS):
            z = self.encoder(self.views.clean(rows.to(device)))
            found.append(self.objective.activate(self.projector(z).float()) if embeddings else z.float())
        return torch.cat(found).cpu()

    def _samples(self, x: Tensor | npt.ArrayLike) -> Tensor:
        samples = x if isinstance(x, Tensor) else torch.as_tensor(x)
        if len(self.shape) == 1:
            samples = samples.float()
        elif samples.ndim == 3:
            samples = samples.unsqueeze(1)  # [N, 1, H, W]
        images = len(self.shape) == 3
        fits = samples.ndim == len(self.shape) + 1 and samples.shape[1] == self.shape[0] and len(samples) > 0
        if not fits or (images and samples.dtype != torch.uint8 and not samples.is_floating_point()):
            kind = f"uint8 or float images [N, {self.shape[0]}, H, W]" if images else f"vectors [N, {self.shape[0]}]"
            raise ValueError(
                f"encoder: expected at least one sample as {kind}, found {samples.dtype} of shape "
                f"{list(samples.shape)}. Convert the samples to what the run was trained on."
            )
        if images and tuple(samples.shape[1:]) != self.shape and self.shape[1] == self.shape[2]:
            samples = centre_squares(samples, self.shape[-1])  # as a source of other pictures is
        if tuple(samples.shape[1:]) != self.shape:
            raise ValueError(f"encoder: expected samples of shape {self.shape}, found {tuple(samples.shape[1:])}.")
        return samples


def encoder_state(parts: nn.Module, configuration: Configuration, shape: tuple[int, ...]) -> bytes:
    """The content of ``encoder.safetensors``: weights of a learner's parts, and what rebuilds the network around them.

    Args:
        parts: has the submodules encoder, projector and objective.
        configuration: with complete view settings.
        shape: of a sample.
    """
    state = {
        f"{name}.{key}": value.contiguous().cpu()
        for name in PARTS
        for key, value in parts.get_submodule(name).state_dict().items()
    }
    tree = configuration.tree()
    tree["run"] = {"seed": tree["run"]["seed"]}  # where and how long it was trained is nobody's affair who uses it
    facts = {"jointlaw": __version__, "configuration": json.dumps(tree), "sample": json.dumps(list(shape))}
    return save(state, facts)


def load_weights(parts: nn.Module, content: bytes, where: Path) -> None:
    """Load the content of ``encoder.safetensors`` into encoder, projector and objective, strictly.

    Raises:
        ValueError: if a weight is missing, unexpected or misshapen.
    """
    try:
        state = load(content)
    except SafetensorError as error:
        raise ValueError(f"{where}: expected a safetensors file, found one that cannot be read ({error}).") from error
    for name in PARTS:
        module = parts.get_submodule(name)
        part = {key.removeprefix(f"{name}."): value for key, value in state.items() if key.startswith(f"{name}.")}
        try:
            module.load_state_dict(part, strict=True)
        except RuntimeError as error:
            raise ValueError(
                f"{where}: expected the weights of this {name}, found others. Use the configuration that the weights "
                f"were trained with. ({' '.join(str(error).split())})"
            ) from error


def load_encoder(path: str | Path, trust: bool = False) -> Encoder:
    """The trained network of a run as a function, from its folder or from a copy of its ``encoder.safetensors``.

    Needs torch, NumPy, SciPy and safetensors only (and timm, if the encoder is timm's); data and network are not asked
    for. Nothing that the file names is imported from outside jointlaw unless you trust it.

    Args:
        path: a run folder, whose file is checked against its digest, or the file itself, which carries none.
        trust: whether encoders, views and recipes of its author's may be imported and run.

    Raises:
        ValueError: if there is no such file, it was changed, or it names code from elsewhere.

    >>> encoder = load_encoder("runs/NAME")                           # doctest: +SKIP
    >>> encoder(torch.zeros(10, 1, 28, 28, dtype=torch.uint8)).shape  # doctest: +SKIP
    torch.Size([10, 512])
    """
    place = Path(path).expanduser()
    if place.is_dir():
        workspace = Workspace(place)
        content, place = workspace.read_weights(WEIGHTS, "The run has not ended; go on with it."), place / WEIGHTS
    elif place.is_file():
        content = place.read_bytes()
    else:
        raise ValueError(f"load_encoder: expected a run folder or a file of weights, found none at {path}.")
    tree, shape = _facts(content, place)
    with reading(place), torch.random.fork_rng(devices=[]):  # initial weights are drawn, and then replaced
        configuration = Configuration.from_tree(tree, str(place), trust).with_views()
        configuration.refuse_strangers()
        method = configuration.method()
        encoder, width = configuration.setup.build_encoder(shape, trust)
        parts = nn.ModuleDict({"encoder": encoder, "projector": method.projector(width), "objective": method.objective})
    load_weights(parts, content, place)
    views = configuration.setup.view_maker(trust)
    return Encoder(encoder, parts["projector"], method.objective, views, shape)


def _facts(content: bytes, where: Path) -> tuple[dict[str, Any], tuple[int, ...]]:
    try:
        found = metadata(content)
        tree, shape = json.loads(found["configuration"]), tuple(int(size) for size in json.loads(found["sample"]))
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise ValueError(f"{where}: expected the encoder of a run, found another file ({error}).") from error
    sizes = len(shape) in (1, 3) and all(0 < size < 2**20 for size in shape)
    if not isinstance(tree, dict) or not sizes:
        raise ValueError(f"{where}: expected the encoder of a run, found another file.")
    return tree, shape
