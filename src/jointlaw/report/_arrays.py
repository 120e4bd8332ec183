"""Arrays as the pages take them: NumPy's, tensors and lists."""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch


def real_array(where: str, name: str, value: Any) -> npt.NDArray[Any]:
    """The value as an array of real numbers on the CPU, without gradient; bfloat16 comes as float32.

    Raises:
        ValueError: if it is none.

    >>> real_array("law_page", "units", torch.ones(2, 1)).shape
    (2, 1)
    """
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu()
        value = (value.float() if value.dtype == torch.bfloat16 else value).numpy()
    try:
        array = np.asarray(value)
    except (ValueError, TypeError):  # rows of unequal length
        array = np.asarray(None)
    if array.dtype.kind not in "biuf":
        raise ValueError(
            f"{where}: expected {name} as an array, a tensor or a list of rows of real numbers, found "
            f"{type(value).__name__}{'' if array.dtype == object else f' of {array.dtype}'}. Convert them first."
        )
    return array
