"""Decoders learn, go through their file, and refuse what does not fit."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save as safetensors

from jointlaw.data import Stored
from jointlaw.evaluation import Which
from jointlaw.generation._decoder import (
    Decoding,
    Surface,
    decode,
    decoder_from_bytes,
    decoder_to_bytes,
    reconstruction_error,
    train_decoder,
)


def shades(count: int = 129) -> tuple[torch.Tensor, Stored]:
    """Images of one shade each, and representations that tell the shade."""
    shade = torch.linspace(0, 255, count)
    images = shade.to(torch.uint8)[:, None, None, None].expand(count, 1, 9, 8).contiguous()
    latent = torch.stack([shade / 255, 1 - shade / 255, torch.ones(count)], dim=1)
    return latent, Stored(values=images, label=torch.full((count,), -1))


SMALL = Decoding(epochs=30, batch=32, width=4, learning_rate=1e-2)


def test_a_decoder_recovers_what_the_representation_tells() -> None:
    latent, source = shades()
    seen: list[int] = []
    trained = train_decoder(latent, source, SMALL, seen.append)
    variance = source.values.float().div(255).var().item()
    assert reconstruction_error(trained.decoder, latent, source) < 0.1 * variance
    assert sum(seen) == 30 * len(source)
    assert 1 not in seen  # a batch of one sample has no statistics
    assert not trained.decoder.training


def test_a_decoder_of_one_step_has_the_moments_of_its_samples() -> None:
    latent, source = shades(40)
    found = train_decoder(latent, source, Decoding(epochs=1, batch=40, width=2)).decoder[0]
    torch.testing.assert_close(found.running_mean, latent.mean(0))
    torch.testing.assert_close(found.running_var, latent.var(0))


def test_training_is_repeatable_and_leaves_the_global_generator_alone() -> None:
    latent, source = shades(40)
    state = torch.get_rng_state()
    settings = Decoding(epochs=1, width=2)
    one, two = (train_decoder(latent, source, settings).decoder.state_dict() for _ in range(2))
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_decoder_goes_through_its_file() -> None:
    latent, source = shades(40)
    trained = train_decoder(latent, source, Decoding(Which.embeddings, epochs=1, width=2))
    again = decoder_from_bytes(decoder_to_bytes(trained), Path("decoder.safetensors"))
    assert (again.settings, again.surface) == (trained.settings, trained.surface)
    assert torch.equal(decode(again.decoder, latent), decode(trained.decoder, latent))


@pytest.mark.parametrize("content", [b"", b"thesis", safetensors({"x": torch.zeros(1)}, {"settings": "{}"})])
def test_another_file_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"wrong\.safetensors: .* found another file .* jointlaw decode|another file"):
        decoder_from_bytes(content, Path("wrong.safetensors"))


def test_numbers_of_samples_must_agree() -> None:
    latent, source = shades(40)
    with pytest.raises(ValueError, match="39 for 40"):
        train_decoder(latent[1:], source, SMALL)


def test_vectors_have_no_decoder() -> None:
    source = Stored(values=torch.randn(40, 12), label=torch.zeros(40, dtype=torch.int64))
    with pytest.raises(ValueError, match="expected images"):
        train_decoder(torch.randn(40, 3), source, SMALL)


def test_points_are_brought_where_representations_live() -> None:
    z = torch.nn.functional.normalize(torch.randn(50, 4, generator=torch.Generator().manual_seed(0)), dim=1)
    assert Surface.of(z) == Surface(positive=False, unit=True)
    assert Surface.of(z.abs()) == Surface(positive=True, unit=True)
    assert Surface.of(3 * z) == Surface(positive=False, unit=False)
    torch.testing.assert_close(Surface.of(z)(5 * z), z)
    assert torch.equal(Surface(positive=True, unit=False)(z), torch.relu(z))
