import pytest
import torch

from jointlaw.networks import MLP, ConvEncoder, MLPEncoder, Projector


@pytest.mark.parametrize("size", [8, 28, 32, 64])
def test_conv_encoder_takes_any_image_size(size: int) -> None:
    assert ConvEncoder(3, width=4)(torch.rand(2, 3, size, size)).shape == (2, 32)


def test_projector_ends_linearly() -> None:
    z = Projector(16, width=64)(torch.randn(32, 16, generator=torch.Generator().manual_seed(0)))
    assert (z < 0).any()
    assert (z > 0).any()


def test_mlp_flattens_images() -> None:
    assert MLPEncoder(64, features=10)(torch.rand(4, 1, 8, 8)).shape == (4, 10)


def test_mlp_of_one_width_is_refused() -> None:
    with pytest.raises(ValueError, match="layers >= 2"):
        MLP((4,))
