import pytest
import torch

from jointlaw.networks import MLP, ConvEncoder, Decoder, MLPEncoder, Projector


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


@pytest.mark.parametrize("size", [(8, 8), (28, 28), (32, 32), (33, 9), (64, 61)])
def test_decoder_makes_images_of_any_size(size: tuple[int, int]) -> None:
    decoder = Decoder(5, (3, *size), width=4, hidden=16)
    image = decoder(torch.randn(6, 5, generator=torch.Generator().manual_seed(0)))
    assert image.shape == (6, 3, *size)
    assert image.min() >= 0
    assert image.max() <= 1
    assert sum(isinstance(layer, torch.nn.ConvTranspose2d) for layer in decoder) == 4


def test_decoder_takes_representations_of_any_scale() -> None:
    torch.manual_seed(0)
    decoder, z = Decoder(5, (1, 8, 8), width=4), torch.randn(64, 5)
    torch.testing.assert_close(decoder(1e-1 * z + 3), decoder(z), rtol=0, atol=2e-3)


@pytest.mark.parametrize("shape", [(64,), (1, 7, 8), (1, 8, 65)])
def test_decoder_refuses_what_is_no_small_image(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="8 to 64 pixels"):
        Decoder(5, shape)
