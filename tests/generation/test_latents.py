"""Draws from a density in principal components, and halves of images."""

import pytest
import torch

from jointlaw.data._samples import Stored
from jointlaw.densities._fitted import Fitted
from jointlaw.evaluation._joint import principal_components
from jointlaw.generation._latents import draw, draw_given, expand, hide, median_pixel
from jointlaw.laws._gaussian import JointGaussian


def test_principal_components_expand_to_the_nearest_representation() -> None:
    x = torch.randn(100, 6, generator=torch.Generator().manual_seed(0)) * torch.tensor(
        [4.0, 3.0, 2.0, 1e-4, 1e-4, 1e-4]
    )
    reduction = principal_components(x, 3)
    torch.testing.assert_close(expand(reduction, reduction(x)), x, rtol=0, atol=2e-3)
    y = torch.randn(5, 3)
    torch.testing.assert_close(reduction(expand(reduction, y)), y, rtol=0, atol=1e-5)


def test_draws_follow_the_target_and_not_the_context() -> None:
    x = torch.randn(100, 4, generator=torch.Generator().manual_seed(0))
    reduction = principal_components(x, 2)
    law = JointGaussian(torch.tensor([9.0, 9.0, -1.0, 2.0]), 0.1 * torch.eye(4), split=2)
    latent = draw(Fitted(law), reduction, 500)
    assert latent.shape == (500, 4)
    torch.testing.assert_close(reduction(latent).mean(0), torch.tensor([-1.0, 2.0]), rtol=0, atol=0.03)
    assert torch.equal(latent, draw(Fitted(law), reduction, 500))
    assert not torch.equal(latent, draw(Fitted(law), reduction, 500, seed=1))


def test_conditional_draws_follow_their_own_context() -> None:
    x = torch.randn(100, 2, generator=torch.Generator().manual_seed(0))
    reduction = principal_components(x, 2)
    factor = torch.tensor([[1.0, 0, 0, 0], [0, 1.0, 0, 0], [1.0, 0, 0.01, 0], [0, 1.0, 0, 0.01]])
    found = draw_given(Fitted(JointGaussian(torch.zeros(4), factor, split=2)), reduction, x, 7)
    assert found.shape == (100, 7, 2)
    torch.testing.assert_close(found, (x - reduction.loc + reduction.loc)[:, None].expand(-1, 7, -1), rtol=0, atol=0.1)


@pytest.mark.parametrize(("seen", "rows", "columns"), [("left", slice(None), slice(3)), ("top", slice(2), slice(None))])
def test_the_seen_half_stays_and_the_other_goes(seen: str, rows: slice, columns: slice) -> None:
    images = torch.randint(1, 256, (2, 3, 4, 5), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    before, fill = images.clone(), torch.tensor([0, 7, 9], dtype=torch.uint8)
    half = hide(images, seen, fill)  # type: ignore[arg-type]
    assert torch.equal(images, before)
    assert torch.equal(half[:, :, rows, columns], images[:, :, rows, columns])
    kept = torch.zeros(4, 5, dtype=torch.bool)
    kept[rows, columns] = True
    assert (half[:, :, ~kept] == fill[:, None]).all()


def test_the_median_of_dark_images_is_black() -> None:
    images = torch.zeros(10, 1, 4, 4, dtype=torch.uint8)
    images[:, :, 0] = 200
    assert median_pixel(Stored(values=images, label=torch.zeros(10, dtype=torch.int64))).tolist() == [0]
    vectors = Stored(values=torch.zeros(10, 4), label=torch.zeros(10, dtype=torch.int64))
    with pytest.raises(ValueError, match="found vectors"):
        median_pixel(vectors)
