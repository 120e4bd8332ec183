"""Views as the data ask for them: standardised vectors, brightness of digits, a user's own functions."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from jointlaw.runs._setup import FEATURES_LISTED, Setup, preset
from jointlaw.views._makers import TensorSettings


def mirrored(sample: Tensor) -> Tensor:
    """A user's views: mirrored at random."""
    picture = sample.float() / 255
    return picture.flip(-1) if torch.rand(()) < 0.5 else picture


def plain(sample: Tensor) -> Tensor:
    """A user's clean view."""
    return sample.float() / 255


def saved(folder: Path, x: npt.NDArray[np.float64]) -> Setup:
    np.savez(folder / "x.npz", x=x.astype(np.float32))
    return Setup(data=f"tensors:{folder / 'x.npz'}")


def test_vectors_are_standardised_by_their_training_samples(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal([3.0, -50.0, 7.0], [10.0, 0.01, 0.0], (400, 3))
    setup = saved(tmp_path, x)
    data = setup.load_data()
    clean = setup.settled(data).view_maker().clean(data.train.read(torch.arange(len(data.train))))
    torch.testing.assert_close(clean.mean(0), torch.zeros(3), atol=1e-3, rtol=0)
    torch.testing.assert_close(clean.std(0, correction=0), torch.tensor([1.0, 1.0, 0.0]), atol=1e-3, rtol=0)


def test_very_wide_vectors_share_one_mean(tmp_path: Path) -> None:
    setup = saved(tmp_path, np.random.default_rng(0).normal(2.0, 3.0, (20, FEATURES_LISTED + 1)))
    settings = preset(setup.load_data())
    assert isinstance(settings, TensorSettings)
    assert len(settings.mean) == len(settings.std) == 1
    assert settings.mean[0] == pytest.approx(2.0, abs=0.1)


def test_digits_come_out_with_mean_zero_and_deviation_one() -> None:
    setup = Setup(data="digits")
    data = setup.load_data()
    clean = setup.settled(data).view_maker().clean(data.train.read(torch.arange(len(data.train))))
    assert float(clean.mean()) == pytest.approx(0, abs=1e-3)
    assert float(clean.std()) == pytest.approx(1, abs=1e-3)


def test_a_second_function_makes_clean_views(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parent)
    name = Path(__file__).stem
    data = Setup(data="digits").load_data()
    batch = data.train.read(torch.arange(16))
    maker = Setup(data="digits", views=f"{name}:mirrored:plain").view_maker()
    torch.testing.assert_close(maker.clean(batch), batch.float() / 255)
    assert not torch.equal(maker(batch, torch.Generator().manual_seed(0))[0], batch.float() / 255)
    with pytest.raises(ValueError, match="module:function"):
        Setup(data="digits", views=f"{name}:mirrored:absent").view_maker()
