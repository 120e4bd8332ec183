"""Samples per second of the batched views, and how many times a peer's rate that is.

    python benchmarks/views.py --threads 2

Two views of each sample, crop + flip + colour jitter + grey-scale (grey images: without the colour steps). Every
pipeline gets decoded uint8 images in memory. Repetitions alternate between pipelines, so that load on the machine falls
on all of them; the median counts. Peers run in this process, without worker processes; those not installed are named.
"""

import argparse
import importlib.util
import time
from collections.abc import Callable
from dataclasses import replace
from statistics import median

import torch
from torch import Tensor
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as tv

from jointlaw.views import ViewSettings, colour, greyscale, view_maker

Pipeline = Callable[[Tensor], object]


def ours(settings: ViewSettings) -> Pipeline:
    maker, generator = view_maker(settings), torch.Generator().manual_seed(0)
    return lambda images: maker(images, generator)


def steps(settings: ViewSettings, side: int) -> list[v2.Transform]:
    jitter = v2.ColorJitter(settings.brightness, settings.contrast, settings.saturation, settings.hue)
    grey = [v2.RandomGrayscale(settings.grey)] if settings.grey > 0 else []
    crop = v2.RandomResizedCrop(side, settings.scale, settings.ratio, antialias=True)
    return [crop, v2.RandomHorizontalFlip(settings.flip), v2.RandomApply([jitter], settings.jitter), *grey]


def torchvision_tensors(settings: ViewSettings, side: int) -> Pipeline:
    end = [v2.ToDtype(torch.float32, scale=True), v2.Normalize(settings.mean, settings.std)]
    pipeline = v2.Compose([*steps(settings, side), *end])
    return lambda images: [torch.stack([pipeline(image) for image in images]) for _ in range(2)]


def torchvision_pil(settings: ViewSettings, side: int, images: Tensor) -> Pipeline:
    end = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(settings.mean, settings.std)]
    pipeline, pictures = v2.Compose([*steps(settings, side), *end]), [tv.to_pil_image(image) for image in images]
    return lambda _: [torch.stack([pipeline(picture) for picture in pictures]) for _ in range(2)]


def lightly(side: int, images: Tensor) -> Pipeline:
    from lightly.transforms import SimCLRTransform

    pipeline = SimCLRTransform(input_size=side, cj_strength=0.5, gaussian_blur=0.0)
    pictures = [tv.to_pil_image(image) for image in images]
    return lambda _: [torch.stack(views) for views in zip(*[pipeline(picture) for picture in pictures], strict=True)]


def kornia(settings: ViewSettings, side: int) -> Pipeline:
    import kornia.augmentation as K

    pipeline = K.AugmentationSequential(
        K.RandomResizedCrop((side, side), scale=settings.scale, ratio=settings.ratio),
        K.RandomHorizontalFlip(p=settings.flip),
        K.ColorJitter(settings.brightness, settings.contrast, settings.saturation, settings.hue, p=settings.jitter),
        K.RandomGrayscale(p=settings.grey),
        K.Normalize(torch.tensor(settings.mean), torch.tensor(settings.std)),
    )
    return lambda images: [pipeline(images.float() / 255) for _ in range(2)]


def pipelines(settings: ViewSettings, images: Tensor) -> dict[str, Pipeline]:
    """Everything that can be compared on these images, ours first."""
    channels, side = images.shape[1], images.shape[-1]
    found: dict[str, Pipeline] = {"jointlaw, batched": ours(settings)}
    found["torchvision v2 per sample, tensors"] = torchvision_tensors(settings, side)
    found["torchvision v2 per sample, PIL"] = torchvision_pil(settings, side, images)
    if channels == 3 and importlib.util.find_spec("lightly"):
        found["lightly SimCLR per sample, PIL"] = lightly(side, images)
    if channels == 3 and importlib.util.find_spec("kornia"):
        found["kornia, batched"] = kornia(settings, side)
    return found


def rates(found: dict[str, Pipeline], images: Tensor, rounds: int) -> dict[str, tuple[float, float]]:
    """Samples per second of wall time and of processor time; the first round warms up."""
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in found}
    for _ in range(rounds + 1):
        for name, pipeline in found.items():
            repeats = 20 if "batched" in name else 1
            wall, processor = time.perf_counter(), time.process_time()
            for _ in range(repeats):
                pipeline(images)
            spent[name].append(((time.perf_counter() - wall) / repeats, (time.process_time() - processor) / repeats))
    typical = {name: [median(kind) for kind in zip(*times[1:], strict=True)] for name, times in spent.items()}
    return {name: (len(images) / wall, len(images) / processor) for name, (wall, processor) in typical.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    # a training step frees large tensors, after which the C library keeps freed memory; without this, every fresh view
    # would be charged for mapping its pages anew
    torch.empty(7_000_000).zero_()
    for peer in ("lightly", "kornia"):
        if importlib.util.find_spec(peer) is None:
            print(f"{peer}: not installed, left out")
    cases = {
        "32 x 32 colour": (replace(colour(), solarise=0.0), (3, 32, 32)),
        "28 x 28 grey": (greyscale(), (1, 28, 28)),
    }
    for title, (settings, shape) in cases.items():
        images = torch.randint(0, 256, (options.batch, *shape), dtype=torch.uint8)
        measured = rates(pipelines(settings, images), images, options.rounds)
        ours_rate = next(iter(measured.values()))[0]
        print(f"\n{title}, batch {options.batch}, {options.threads} threads")
        print(f"{'pipeline':<38}{'samples/s':>12}{'per cpu-second':>16}{'ours is':>10}")
        for name, (wall, processor) in measured.items():
            print(f"{name:<38}{wall:>12,.0f}{processor:>16,.0f}{ours_rate / wall:>9.1f}x")


if __name__ == "__main__":
    main()
