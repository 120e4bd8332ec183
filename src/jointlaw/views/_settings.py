"""Settings of views: each with its default, and the papers' settings for each kind of data."""

from dataclasses import dataclass

from jointlaw import _check as check


@dataclass(frozen=True)
class ViewSettings:
    """How views of images are drawn; each sample of a batch has its own draw.

    The steps run in this order: random resized crop, flip, colour jitter, grey-scale, blur, solarise, rotation,
    normalisation. A step whose probability or amount is zero costs nothing.

    Attributes:
        size: side of a view in pixels; the images' own height and width by default.
        count: full-size views of each sample.
        scale: least and most area of the crop, as shares of the image.
        ratio: least and most width over height of the crop.
        flip: probability of mirroring left and right.
        jitter: probability of the colour jitter.
        brightness: the factor is uniform within this distance of 1 (never below 0).
        contrast: the factor is uniform within this distance of 1 (never below 0).
        saturation: the factor is uniform within this distance of 1 (never below 0); colour images only.
        hue: largest turn of the hue either way, in turns (at most 0.5); colour images only.
        grey: probability of losing all colour.
        blur: probability of a Gaussian blur.
        blur_sigma: least and most standard deviation of the blur, in pixels.
        blur_kernel: odd width of the blur's kernel; about a tenth of the view's side by default.
        solarise: probability of inverting the bright pixels.
        solarise_threshold: values in [0, 1] from which on a solarised pixel is inverted.
        rotate: largest rotation either way, in degrees.
        mean: mean of each channel (or one for all) on the scale [0, 1], subtracted last.
        std: standard deviation of each channel (or one for all) on the scale [0, 1], divided by last.
        small_count: additional small views of each sample (multi-crop); they follow the full-size ones.
        small_size: side of a small view in pixels; needed where small_count is above 0.
        small_scale: least and most area of a small view's crop, as shares of the image.

    Raises:
        ValueError: if a value is out of its range, or small views have no size.

    >>> ViewSettings(flip=0.0, rotate=15.0).scale
    (0.2, 1.0)
    """

    size: int | None = None
    count: int = 2
    scale: tuple[float, float] = (0.2, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)
    flip: float = 0.5
    jitter: float = 0.8
    brightness: float = 0.4
    contrast: float = 0.4
    saturation: float = 0.2
    hue: float = 0.1
    grey: float = 0.2
    blur: float = 0.0
    blur_sigma: tuple[float, float] = (0.1, 2.0)
    blur_kernel: int | None = None
    solarise: float = 0.0
    solarise_threshold: float = 128 / 255
    rotate: float = 0.0
    mean: tuple[float, ...] = (0.5,)
    std: tuple[float, ...] = (0.5,)
    small_count: int = 0
    small_size: int | None = None
    small_scale: tuple[float, float] = (0.05, 0.4)

    def __post_init__(self) -> None:
        where = "ViewSettings"
        _counts(where, self.count, small_count=self.small_count)
        for name, side in (("size", self.size), ("small_size", self.small_size), ("blur_kernel", self.blur_kernel)):
            if side is not None:
                check.at_least(where, 1, **{name: side})
        if self.blur_kernel is not None and self.blur_kernel % 2 == 0:
            raise ValueError(f"{where}: expected an odd blur_kernel, found {self.blur_kernel}. Add or take one.")
        if self.small_count > 0 and self.small_size is None:
            raise ValueError(
                f"{where}: expected small_size with small_count = {self.small_count}, found none. Name one."
            )
        _probabilities(where, flip=self.flip, jitter=self.jitter, grey=self.grey, blur=self.blur)
        _probabilities(where, solarise=self.solarise, solarise_threshold=self.solarise_threshold)
        _ranges(where, 1.0, scale=self.scale, small_scale=self.small_scale)
        _ranges(where, float("inf"), ratio=self.ratio, blur_sigma=self.blur_sigma)
        check.non_negative(where, brightness=self.brightness, contrast=self.contrast, saturation=self.saturation)
        _at_most(where, hue=(self.hue, 0.5), rotate=(self.rotate, 180.0))
        _statistics(where, self.mean, self.std, channels=(1, 3))


@dataclass(frozen=True)
class TensorSettings:
    """How views of feature vectors are drawn: Gaussian noise, then random features masked.

    Attributes:
        count: views of each sample.
        noise: standard deviation of the noise, in units of each feature's std.
        mask: probability that a feature is masked, that is, takes its mean.
        mean: mean of each feature (or one for all), subtracted first.
        std: standard deviation of each feature (or one for all), divided by first.

    Raises:
        ValueError: if a value is out of its range.

    >>> TensorSettings(noise=0.2).mask
    0.2
    """

    count: int = 2
    noise: float = 0.1
    mask: float = 0.2
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        where = "TensorSettings"
        _counts(where, self.count)
        check.non_negative(where, noise=self.noise)
        _probabilities(where, mask=self.mask)
        _statistics(where, self.mean, self.std)


def colour() -> ViewSettings:
    """Small colour images: crop, flip, jitter, grey-scale and solarise, normalised as CIFAR-100.

    Source: Kuang et al. (2026), arXiv 2602.01456, the authors' CIFAR-100 example (VICReg's small-image settings).
    Differs from the authors' code in: bilinear instead of bicubic interpolation; float values between the steps
    instead of 8-bit ones; the order of the jitter's four steps is shared by a quarter of the batch.

    >>> colour().solarise, len(colour().mean)
    (0.1, 3)
    """
    mean, std = (0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)
    return ViewSettings(solarise=0.1, mean=mean, std=std)


def greyscale() -> ViewSettings:
    """Grey images of things that may be mirrored: crop, flip, brightness and contrast, normalised as Fashion-MNIST.

    >>> greyscale().flip, greyscale().mean
    (0.5, (0.286,))
    """
    return ViewSettings(saturation=0.0, hue=0.0, grey=0.0, mean=(0.2860,), std=(0.3530,))


def digits() -> ViewSettings:
    """Characters: milder crops, a slight rotation, brightness and contrast; no flip, which would change the meaning.

    >>> digits().flip, digits().rotate
    (0.0, 15.0)
    """
    return ViewSettings(
        scale=(0.6, 1.0),
        ratio=(4 / 5, 5 / 4),
        flip=0.0,
        saturation=0.0,
        hue=0.0,
        grey=0.0,
        rotate=15.0,
        mean=(0.1307,),
        std=(0.3081,),
    )


def tensor() -> TensorSettings:
    """Standardised feature vectors: noise of a tenth of a deviation, a fifth of the features masked.

    >>> tensor()
    TensorSettings(count=2, noise=0.1, mask=0.2, mean=(0.0,), std=(1.0,))
    """
    return TensorSettings()


def _counts(where: str, count: int, small_count: int = 0) -> None:
    check.at_least(where, 1, count=count)
    check.at_least(where, 0, small_count=small_count)


def _probabilities(where: str, **values: float) -> None:
    for name, value in values.items():
        if not 0 <= value <= 1:
            raise ValueError(f"{where}: expected 0 <= {name} <= 1, found {value}. Choose a value in [0, 1].")


def _ranges(where: str, most: float, **values: tuple[float, float]) -> None:
    for name, (low, high) in values.items():
        if not (0 < low <= high <= most and high < float("inf")):
            limit = f" <= {most}" if most < float("inf") else ""
            raise ValueError(
                f"{where}: expected {name} = (low, high) with 0 < low <= high{limit}, found ({low}, {high}). "
                f"Put the smaller bound first and keep both inside."
            )


def _at_most(where: str, **values: tuple[float, float]) -> None:
    for name, (value, most) in values.items():
        if not 0 <= value <= most:
            raise ValueError(f"{where}: expected 0 <= {name} <= {most}, found {value}. Lower {name} to {most} or less.")


def _statistics(
    where: str, mean: tuple[float, ...], std: tuple[float, ...], channels: tuple[int, ...] | None = None
) -> None:
    if len(mean) != len(std) or not mean:
        raise ValueError(
            f"{where}: expected as many means as deviations, found {len(mean)} and {len(std)}. "
            "Give one of each for all channels, or one of each per channel."
        )
    if channels is not None and len(mean) not in channels:
        raise ValueError(f"{where}: expected 1 or 3 means, found {len(mean)}. Give one for all channels or three.")
    check.positive(where, **{f"std[{place}]": value for place, value in enumerate(std)})
