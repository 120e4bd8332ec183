"""Probes that learn beside a run."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from jointlaw.training._online import OnlineProbe
from jointlaw.types import Views


class Loggee:
    """Stands for the learner: takes the figures that are logged."""

    def __init__(self) -> None:
        self.device = torch.device("cpu")
        self.logged: dict[str, float] = {}

    def log(self, name: str, value: Tensor, **settings: Any) -> None:
        self.logged[name] = float(value)


TRAINER: Any = SimpleNamespace(sanity_checking=False)


def batch(seed: int, known: bool = True) -> tuple[dict[str, Tensor], Views]:
    """Two classes that a line parts."""
    generator = torch.Generator().manual_seed(seed)
    label = torch.randint(2, (64,), generator=generator)
    x = torch.randn(2, 64, 5, generator=generator) + 6.0 * label[:, None]
    outputs = {"features": x.requires_grad_(), "embeddings": x[..., :3]}
    return outputs, Views([], label if known else torch.full_like(label, -1), torch.arange(64))


def probe() -> OnlineProbe:
    torch.manual_seed(0)
    return OnlineProbe(5, 3, 2, learning_rate=0.03)


def learn(online: OnlineProbe, steps: range) -> None:
    for step in steps:
        outputs, views = batch(step)
        online.on_train_batch_end(TRAINER, Loggee(), outputs, views, step)  # type: ignore[arg-type]


def weights(online: OnlineProbe) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in online.probes.parameters()]


def judged(online: OnlineProbe, known: bool = True) -> dict[str, float]:
    loggee: Any = Loggee()
    outputs, views = batch(99, known)
    online.on_validation_batch_end(TRAINER, loggee, outputs, views, 0)
    online.on_validation_epoch_end(TRAINER, loggee)
    return loggee.logged  # type: ignore[no-any-return]


def test_separable_classes_are_learned() -> None:
    online = probe()
    learn(online, range(60))
    assert judged(online) == {"probe/backbone": 1.0, "probe/projector": 1.0}


def test_no_gradient_reaches_what_is_probed() -> None:
    online = probe()
    outputs, views = batch(0)
    features = outputs["features"].detach().requires_grad_()
    detached = {"features": features.detach(), "embeddings": outputs["embeddings"].detach()}
    online.on_train_batch_end(TRAINER, Loggee(), detached, views, 0)  # type: ignore[arg-type]
    assert features.grad is None


def test_unknown_labels_are_passed_over() -> None:
    online = probe()
    before = weights(online)
    outputs, views = batch(0, known=False)
    online.on_train_batch_end(TRAINER, Loggee(), outputs, views, 0)  # type: ignore[arg-type]
    assert all(torch.equal(a, b) for a, b in zip(before, weights(online), strict=True))
    assert judged(online, known=False) == {}


def test_judging_changes_no_state() -> None:
    online = probe()
    learn(online, range(3))
    before = {key: value.clone() for key, value in online.probes.state_dict().items()}
    first, again = judged(online), judged(online)
    assert first == again
    assert all(torch.equal(before[key], value) for key, value in online.probes.state_dict().items())


def test_a_saved_probe_goes_on_bit_for_bit(tmp_path: Any) -> None:
    whole, first, second = probe(), probe(), OnlineProbe(5, 3, 2, learning_rate=0.03)
    learn(whole, range(8))
    learn(first, range(4))
    torch.save(first.state_dict(), tmp_path / "probe.pt")
    second.load_state_dict(torch.load(tmp_path / "probe.pt", weights_only=True))
    second.on_fit_start(TRAINER, Loggee())  # type: ignore[arg-type]
    learn(second, range(4, 8))
    assert all(torch.equal(a, b) for a, b in zip(weights(whole), weights(second), strict=True))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_resumed_probe_moves_to_the_device_with_its_optimiser() -> None:
    online, fresh = probe(), probe()
    learn(online, range(2))
    fresh.load_state_dict(online.state_dict())
    loggee: Any = Loggee()
    loggee.device = torch.device("cuda")
    fresh.on_fit_start(TRAINER, loggee)
    outputs, views = batch(3)
    on_device = {name: value.detach().cuda() for name, value in outputs.items()}
    fresh.on_train_batch_end(TRAINER, loggee, on_device, Views([], views.label.cuda(), views.index.cuda()), 0)
