"""Numbers among the options, which are read as text so that what is refused is refused in one sentence."""

import math


def number(where: str, option: str, text: str | None, expected: str = "a finite number") -> float | None:
    """The number that an option gives; None where it is not given.

    Raises:
        ValueError: if the text is no finite number; ``expected`` says what it should be.

    >>> number("law", "p", "0.5")
    0.5
    """
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{where}: expected --{option} to be {expected}, found {text!r}. Write one number.")
    return value


def count(where: str, option: str, text: str | None) -> int | None:
    """The whole number above zero that an option gives; None where it is not given.

    Raises:
        ValueError: if the text is none.

    >>> count("mixture", "components", "3")
    3
    """
    if text is None:
        return None
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(
            f"{where}: expected --{option} to be a whole number above 0, such as 3, found {text!r}. Write one number."
        )
    return int(text)
