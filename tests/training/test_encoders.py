from pathlib import Path

import pytest
import timm
import torch

from jointlaw.networks import ConvEncoder, MLPEncoder
from jointlaw.training._encoders import build_encoder, feature_width


def test_names_of_our_own() -> None:
    assert isinstance(build_encoder("conv", (1, 8, 8)), ConvEncoder)
    assert isinstance(build_encoder("mlp", (30,)), MLPEncoder)
    assert feature_width(build_encoder("mlp", (30,)), (30,)) == 256


@pytest.mark.parametrize("size", [28, 32, 64, 96])
@pytest.mark.parametrize("name", ["resnet18", "vit_tiny_patch16_224", "convnext_atto"])
def test_timm_models_take_small_and_large_images(name: str, size: int) -> None:
    encoder = build_encoder(name, (3, size, size))
    assert encoder(torch.rand(2, 3, size, size)).shape == (2, feature_width(encoder, (3, size, size)))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet18", "vit_tiny_patch16_224", "convnext_atto"])
def test_timm_models_take_224_pixels(name: str) -> None:
    assert feature_width(build_encoder(name, (3, 224, 224)), (3, 224, 224)) > 100


def test_small_stem_keeps_the_resolution() -> None:
    small = build_encoder("resnet18", (1, 32, 32))
    assert small.get_submodule("conv1").stride == (1, 1)  # type: ignore[comparison-overlap]
    assert isinstance(small.maxpool, torch.nn.Identity)
    plain = build_encoder("resnet18", (1, 32, 32), small_stem=False)
    assert plain.get_submodule("conv1").stride == (2, 2)  # type: ignore[comparison-overlap]


@pytest.mark.parametrize("name", ["resnetv2_18", "test_resnet", "resnet18d", "skresnet18"])
def test_relatives_of_the_resnet_take_small_images(name: str) -> None:
    if name not in timm.list_models():
        pytest.skip(f"this timm has no {name}")
    encoder = build_encoder(name, (1, 32, 32))
    assert encoder(torch.rand(2, 1, 32, 32)).shape == (2, feature_width(encoder, (1, 32, 32)))


def test_feature_width_leaves_the_encoder_as_it_was() -> None:
    encoder = build_encoder("conv", (1, 8, 8))
    before = {key: value.clone() for key, value in encoder.state_dict().items()}
    feature_width(encoder, (1, 8, 8))
    assert encoder.training
    assert all(torch.equal(before[key], value) for key, value in encoder.state_dict().items())


def test_unknown_name_says_what_is_near() -> None:
    with pytest.raises(ValueError, match="resnet18"):
        build_encoder("resnet1", (3, 32, 32))


def test_image_network_on_vectors_is_refused() -> None:
    with pytest.raises(ValueError, match="--encoder=mlp"):
        build_encoder("conv", (30,))


def test_vision_transformers_take_small_crops() -> None:
    encoder = build_encoder("vit_tiny_patch16_224", (3, 32, 32))
    assert encoder(torch.rand(2, 3, 16, 16)).shape == (2, 192)


def test_names_that_merely_contain_vit_are_no_vision_transformers() -> None:
    assert feature_width(build_encoder("mobilevit_xxs", (3, 64, 64)), (3, 64, 64)) > 100


def test_an_encoder_that_cannot_take_the_samples_is_refused() -> None:
    with pytest.raises(ValueError, match=r"samples of shape \(3, 8, 8\)"):
        feature_width(build_encoder("swin_tiny_patch4_window7_224", (3, 8, 8)), (3, 8, 8))


def test_the_fast_encoder_halves_the_resolution_once_more() -> None:
    usual, fast = (build_encoder(name, (1, 28, 28)) for name in ("conv", "conv-fast"))
    assert feature_width(usual, (1, 28, 28)) == feature_width(fast, (1, 28, 28)) == 256
    x = torch.rand(2, 1, 28, 28)
    assert [list(encoder[0](x).shape[2:]) for encoder in (usual, fast)] == [[28, 28], [14, 14]]  # type: ignore[index]
    assert sum(p.numel() for p in usual.parameters()) == sum(p.numel() for p in fast.parameters())


def narrow(shape: tuple[int, ...]) -> torch.nn.Module:
    return ConvEncoder(shape[0], width=2)


def test_an_encoder_of_your_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parent)
    module = Path(__file__).stem
    assert feature_width(build_encoder(f"{module}:narrow", (3, 16, 16)), (3, 16, 16)) == 16
    assert feature_width(build_encoder("torch.nn:Identity", (7,)), (7,)) == 7
    with pytest.raises(ValueError, match="encoder: expected module:function"):
        build_encoder(f"{module}:absent", (3, 16, 16))
    with pytest.raises(ValueError, match="found int"):
        build_encoder("builtins:len", (3, 16, 16))
