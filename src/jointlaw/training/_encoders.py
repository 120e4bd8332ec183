"""Encoders by name: the small ones written here, every timm model with a stem that suits small images, and your own."""

from difflib import get_close_matches
from typing import Any

import torch
from torch import Tensor, nn

from jointlaw._own import own_function
from jointlaw.networks import ConvEncoder, MLPEncoder
from jointlaw.training._moments import evaluating

SMALL = 64
"""Images of at most this many pixels get the small-image stem unless told otherwise."""


def build_encoder(name: str, shape: tuple[int, ...], small_stem: bool | None = None, trust: bool = True) -> nn.Module:
    """Build an encoder for samples of a shape.

    Args:
        name: ``conv``, ``conv-fast`` (its first convolution halves the resolution: a quarter of the time), ``mlp``, the
            name of a timm model such as ``resnet18``, or ``module:function``, which is called with ``shape``.
        shape: the shape of one sample, ``(C, H, W)`` for images or ``(F,)`` for vectors.
        small_stem: keep the resolution of small images: 3x3 first convolution and no max-pooling in ResNets,
            small patches in vision transformers and ConvNeXt. Default: where images have at most 64 pixels.
        trust: whether ``module:function`` may be imported and run.

    Raises:
        ValueError: for an unknown name, an image network on vectors, or a function that returns no module.

    >>> build_encoder("conv", shape=(1, 28, 28))(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 256])
    """
    if ":" in name:
        return _own(name, shape, trust)
    if name == "mlp":
        return MLPEncoder(int(torch.Size(shape).numel()))
    if len(shape) != 3:
        raise ValueError(
            f"encoder {name!r}: expected images (C, H, W), found samples of shape {shape}. Use --encoder=mlp."
        )
    if name == "conv":
        return ConvEncoder(shape[0])
    if name == "conv-fast":
        return ConvEncoder(shape[0], stride=2)
    size = shape[-1]
    return _timm_encoder(name, shape[0], size, size <= SMALL if small_stem is None else small_stem)


def feature_width(encoder: nn.Module, shape: tuple[int, ...]) -> int:
    """Width F of the features ``[B, F]`` that an encoder makes of samples of a shape."""
    try:
        with torch.no_grad(), evaluating(encoder):
            features: Tensor = encoder(torch.zeros(2, *shape))
    except (RuntimeError, AssertionError, ValueError) as error:
        raise ValueError(
            f"encoder: expected one that takes samples of shape {shape}, found {error} Choose another --encoder, or "
            "another --views.size."
        ) from error
    if features.ndim != 2:
        raise ValueError(
            f"encoder: expected features [batch, width], found shape {list(features.shape)}. Pool the positions."
        )
    return features.shape[1]


def _own(path: str, shape: tuple[int, ...], trust: bool) -> nn.Module:
    function = own_function("encoder", path, trust)
    try:
        encoder = function(shape)
    except Exception as error:
        raise ValueError(f"encoder: expected {path} to take a shape such as {shape}, found {error!r}.") from error
    if not isinstance(encoder, nn.Module):
        raise ValueError(
            f"encoder: expected {path} to turn a shape such as {shape} into a torch module, found "
            f"{type(encoder).__name__}. Return the network."
        )
    return encoder


def _timm_encoder(name: str, channels: int, size: int, small_stem: bool) -> nn.Module:
    try:
        import timm
    except ImportError as error:
        raise ValueError(
            f"encoder {name!r}: expected 'conv', 'conv-fast', 'mlp' or a timm model, but timm is not installed. "
            "Install it (pip install timm)."
        ) from error
    if name not in timm.list_models():
        near = ", ".join(get_close_matches(name, timm.list_models(), n=5)) or "none"
        raise ValueError(
            f"encoder {name!r}: expected 'conv', 'conv-fast', 'mlp' or a timm model (near this name: {near}), found "
            "none of them. See timm.list_models()."
        )
    options: dict[str, Any] = {"num_classes": 0, "in_chans": channels}
    if name.startswith(("vit_", "deit")):
        options |= {"img_size": size, "dynamic_img_size": True}  # small crops are smaller
        if small_stem:
            options["patch_size"] = _patch(size)
    if "convnext" in name and small_stem:
        options["patch_size"] = 2 if size > 32 else 1
    model: nn.Module = timm.create_model(name, **options)
    if small_stem and isinstance(model, timm.models.resnet.ResNet):
        _keep_resolution(model, channels)
    return model


def _patch(size: int) -> int:
    """The largest patch that leaves a vision transformer at least 7 x 7 positions and divides the image."""
    return max(patch for patch in range(1, max(1, size // 7) + 1) if size % patch == 0)


def _keep_resolution(resnet: nn.Module, channels: int) -> None:
    """Swap the 7x7 stride-2 stem and its max-pooling for one 3x3 convolution (CIFAR's usual ResNet)."""
    width = resnet.get_submodule("bn1").weight.shape[0]  # type: ignore[index]
    resnet.conv1 = nn.Conv2d(channels, int(width), 3, padding=1, bias=False)
    resnet.maxpool = nn.Identity()
