"""What every law is: a distribution that can be rebuilt from its own tensors."""

from abc import abstractmethod
from typing import Any, Self

import torch
from torch import Size, Tensor
from torch.distributions import Distribution

EMPTY = Size()
Shape = Size | list[int] | tuple[int, ...]


class Law(Distribution):
    """A ``torch.distributions.Distribution`` rebuilt from its own tensors.

    ``type(law)(**law.tensors, **law.constants)`` is the same law. A subclass lists its constructor's tensors in
    ``arg_constraints`` and its other arguments in ``constants``, keeps each tensor under its name, takes
    ``validate_args`` besides, and draws samples in ``draw``. Laws are immutable: ``expand`` and ``to`` return new ones.

    >>> from jointlaw.laws import RectifiedGeneralizedGaussian
    >>> law = RectifiedGeneralizedGaussian(p=1.0, loc=0.0)
    >>> law.activity  # the other half of the coordinates is zero
    tensor(0.5000)
    >>> twin = type(law)(**law.tensors, **law.constants)
    >>> x = torch.tensor([0.0, 1.0])
    >>> torch.equal(twin.log_prob(x), law.log_prob(x))
    True
    """

    @property
    def tensors(self) -> dict[str, Tensor]:
        """The constructor's tensors by name."""
        return {name: getattr(self, name) for name in self.arg_constraints}

    @property
    def constants(self) -> dict[str, Any]:
        """The constructor's other arguments by name (none, unless a law says otherwise)."""
        return {}

    @property
    def activity(self) -> Tensor:
        """Expected share of coordinates that are not exactly zero, ``[*batch_shape]``: 1, unless 0 has an atom."""
        return next(iter(self.tensors.values())).new_ones(self.batch_shape)

    @abstractmethod
    def draw(self, shape: Shape = EMPTY, generator: torch.Generator | None = None) -> Tensor:
        """Draw ``[*shape, *batch_shape, *event_shape]`` on the law's device, in its dtype.

        Args:
            shape: shape of the sample.
            generator: source of randomness on the law's device (default: torch's own).
        """

    def sample(self, sample_shape: Shape = EMPTY, generator: torch.Generator | None = None) -> Tensor:
        """Draw without gradient; see ``draw``."""
        with torch.no_grad():
            return self.draw(sample_shape, generator)

    def rsample(self, sample_shape: Shape = EMPTY) -> Tensor:
        """Draw with gradients with respect to the law's tensors.

        Raises:
            NotImplementedError: if ``has_rsample`` is False.
        """
        if not self.has_rsample:
            raise NotImplementedError(
                f"{type(self).__name__}.rsample: expected a law with reparametrised samples, found one without. "
                "Use sample()."
            )
        return self.draw(sample_shape)

    def expand(self, batch_shape: Shape, _instance: Any = None) -> Self:
        """Return the same law with its batch shape expanded to ``batch_shape``."""
        expanded = {}
        for name, value in self.tensors.items():
            constraint: Any = self.arg_constraints[name]
            expanded[name] = value.expand(*batch_shape, *value.shape[value.ndim - constraint.event_dim :])
        return self._rebuild(expanded)

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> Self:
        """Return the same law on another device or in another dtype."""
        return self._rebuild({name: value.to(device=device, dtype=dtype) for name, value in self.tensors.items()})

    def _rebuild(self, tensors: dict[str, Tensor]) -> Self:
        build: Any = type(self)
        law: Self = build(**tensors, **self.constants, validate_args=False)  # they were checked when this law was built
        law._validate_args = self._validate_args
        return law

    def _check(self, value: Tensor) -> None:
        if self._validate_args and value.numel():  # torch's own check cannot reshape an empty batch
            self._validate_sample(value)
