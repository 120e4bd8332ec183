"""Decoders learn, go through their file, and refuse what does not fit."""

from pathlib import Path

import pytest
import torch

from jointlaw.data._samples import Stored
from jointlaw.generation._decoder import (
    Decoding,
    Surface,
    decode,
    load_decoder,
    reconstruction_error,
    save_decoder,
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


def test_training_is_repeatable_and_leaves_the_global_generator_alone() -> None:
    latent, source = shades(40)
    state = torch.get_rng_state()
    how = Decoding(epochs=1, width=2)
    one, two = (train_decoder(latent, source, how).decoder.state_dict() for _ in range(2))
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_decoder_goes_through_its_file(tmp_path: Path) -> None:
    latent, source = shades(40)
    trained = train_decoder(latent, source, Decoding(part="embeddings", epochs=1, width=2))
    save_decoder(tmp_path / "decoder.safetensors", trained)
    again = load_decoder(tmp_path / "decoder.safetensors")
    assert (again.how, again.surface) == (trained.how, trained.surface)
    assert torch.equal(decode(again.decoder, latent), decode(trained.decoder, latent))
    assert [path.name for path in tmp_path.iterdir()] == ["decoder.safetensors"]


def test_another_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="jointlaw decode"):
        load_decoder(tmp_path / "none.safetensors")
    (tmp_path / "wrong.safetensors").write_text("thesis")
    with pytest.raises(ValueError, match="another file"):
        load_decoder(tmp_path / "wrong.safetensors")


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
