"""Expected order statistics of one law, kept per width and batch size."""

import math
from collections.abc import Callable, Hashable
from functools import cached_property
from typing import Any, Protocol, TypeVar, runtime_checkable
from weakref import WeakValueDictionary

import torch
from torch import Tensor

from jointlaw.functional import _ordering as ordering

EXACT = 64  # weights up to which a table has an exact row per number of positive ones
T = TypeVar("T")
MOST = 32  # entries that the tables of one law keep; one is as large as a view where k is the width


@runtime_checkable
class UnitLaw(Protocol):
    """What matching asks of the law of one unit (all units are independent and alike)."""

    @property
    def tensors(self) -> dict[str, Tensor]:
        """Parameters: the law is ``type(law)(**law.tensors, **law.constants)``."""

    @property
    def constants(self) -> dict[str, Any]:
        """Other arguments of the constructor."""

    def draw(self, shape: torch.Size, generator: torch.Generator) -> Tensor:
        """Draw a sample on the generator's device."""

    def icdf(self, value: Tensor) -> Tensor:
        """Quantile function."""


_BY_VALUE: WeakValueDictionary[Hashable, "Tables"] = WeakValueDictionary()


class Tables:
    """The expected order statistics of one law, each computed when it is first asked for.

    They are a memo: what they give depends on the law alone, and not on what was asked before. Equal laws share one
    object (``Tables.of``), which lives for as long as someone holds it.

    Args:
        law: of one unit.
    """

    def __init__(self, law: UnitLaw) -> None:
        build: Any = type(law)
        exact = {name: tensor.detach().double().cpu() for name, tensor in law.tensors.items()}
        self.law: UnitLaw = build(**exact, **law.constants)
        self._kept: dict[Hashable, Any] = {}  # the one used last at the end

    @classmethod
    def of(cls, law: UnitLaw) -> "Tables":
        """The tables of all laws of this type, these constants and these values."""
        values = ((name, tensor.tolist()) for name, tensor in law.tensors.items())
        key = (type(law), *values, *law.constants.items())
        tables = _BY_VALUE.get(key)
        if tables is None:
            tables = _BY_VALUE[key] = cls(law)
        return tables

    def signs(self, nonzeros: int, batch: int, device: torch.device, dtype: torch.dtype) -> Tensor:
        """Expected order statistics ``[k + 1, B]`` of k weights +-1/sqrt(k), by number of positive weights."""
        key = ("signs", nonzeros, batch, device, dtype)
        return self._keep(key, lambda: self._signs(nonzeros, batch).to(device, dtype))

    def dense(self, dim: int, batch: int, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, ordering.Response]:
        """Mean of one unit, and the response of centred order statistics to the shape of a dense slice of D units."""

        def compute() -> tuple[Tensor, ordering.Response]:
            response = ordering.dense_response(self._unit, dim, batch)
            return self._unit.mean.to(device, dtype), response.to(device, dtype)

        return self._keep(("dense", dim, batch, device, dtype), compute)

    @cached_property
    def _unit(self) -> ordering.Unit:
        return ordering.Unit.discretise(self._quantile)

    def _quantile(self, t: Tensor) -> Tensor:
        return self.law.icdf(torch.special.ndtr(t))

    def _signs(self, nonzeros: int, batch: int) -> Tensor:
        if nonzeros == 1:
            positive = ordering.expected_order_statistics(self._quantile, batch)
            return torch.stack((-positive.flip(0), positive))
        surplus = torch.arange(-nonzeros, nonzeros + 1, 2, dtype=torch.float64) / math.sqrt(nonzeros)  # sum of weights
        if nonzeros <= EXACT:
            centred = ordering.sign_sums(self._unit, nonzeros, range(nonzeros + 1), batch)
        else:
            fourths = torch.full_like(surplus, 1 / nonzeros)
            centred = ordering.sign_response(self._unit, nonzeros, batch).at(surplus / nonzeros, fourths)
        return centred + self._unit.mean * surplus.unsqueeze(1)

    def _keep(self, key: Hashable, compute: Callable[[], T]) -> T:
        kept: T = self._kept.pop(key) if key in self._kept else compute()
        self._kept[key] = kept
        if len(self._kept) > MOST:
            del self._kept[next(iter(self._kept))]
        return kept
