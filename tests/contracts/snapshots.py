"""What an object holds, all the way down: to see that a forward pass leaves nothing behind."""

import weakref
from typing import Any

import torch
from torch import Tensor


def snapshot(x: Any) -> Any:
    """A value that equals a later one if, and only if, nothing in ``x`` has changed in between.

    Tensors count by identity, content and version; containers and attributes recursively; all else by itself. The
    gradients of parameters are what a backward pass is for, and do not count.
    """
    return _look(x, {})


def _look(x: Any, seen: dict[int, int]) -> Any:
    if x is None or isinstance(x, bool | int | float | str | bytes | torch.dtype | torch.device | torch.Size | type):
        return x
    if id(x) in seen:
        return seen[id(x)]
    seen[id(x)] = len(seen)
    if isinstance(x, Tensor):
        return id(x), x._version, x.requires_grad, str(x.dtype), x.shape, x.detach().flatten().tolist()
    if isinstance(x, dict | weakref.WeakKeyDictionary):
        return [(_look(key, seen), _look(value, seen)) for key, value in x.items()]
    if isinstance(x, list | tuple | set | frozenset):
        return type(x), [_look(value, seen) for value in x]
    return id(x), _look(vars(x), seen) if hasattr(x, "__dict__") and not callable(x) else None, _module(x, seen)


def _module(x: Any, seen: dict[int, int]) -> Any:
    return _look(vars(x), seen) if isinstance(x, torch.nn.Module) else None
