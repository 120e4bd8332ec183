"""The loader: every sample once per epoch, and a position that survives an interruption."""

import threading
import time
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import ClassVar

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor

from jointlaw.data._batches import Batches, RawBatch
from jointlaw.data._samples import Source, Stored


def numbered(samples: int) -> Stored:
    return Stored(values=torch.arange(samples).float().unsqueeze(1), label=torch.arange(samples) % 3)


@dataclass(frozen=True, eq=False, kw_only=True)
class Slow(Stored):
    """Pretends to decode; remembers which threads did."""

    threads: list[str]
    lazy: ClassVar[bool] = True

    def read(self, index: Tensor) -> Tensor:
        self.threads.append(threading.current_thread().name)
        time.sleep(0.002)
        return super().read(index)


def source(samples: int, lazy: bool) -> Source:
    whole = numbered(samples)
    return Slow(values=whole.values, label=whole.label, threads=[]) if lazy else whole


def joined(lists: Iterable[list[int]]) -> list[int]:
    return list(chain.from_iterable(lists))


def seen(batches: Batches) -> list[list[int]]:
    return [batch.index.tolist() for batch in batches]


def test_a_batch_holds_the_samples_of_its_index() -> None:
    data = numbered(20)
    for batch in Batches(data, 6, seed=1):
        assert batch.images.flatten().long().equal(batch.index)
        assert batch.label.equal(data.label[batch.index])


def test_an_epoch_is_a_permutation_and_the_last_part_is_dropped() -> None:
    batches = Batches(numbered(20), 6, seed=1)
    first = joined(seen(batches))
    assert len(batches) == 3
    assert len(first) == len(set(first)) == 18
    assert first != sorted(first)


def test_epochs_and_seeds_differ_and_repeat() -> None:
    batches = Batches(numbered(50), 10, seed=1)
    epochs = [seen(batches) for _ in range(3)]
    assert epochs[0] != epochs[1] != epochs[2]
    assert epochs[0] != seen(Batches(numbered(50), 10, seed=2))
    again = Batches(numbered(50), 10, seed=1)
    for epoch in (2, 0, 1):
        again.set_epoch(epoch)
        assert seen(again) == epochs[epoch]
    again.set_epoch(1)
    assert seen(again) == epochs[1], "set_epoch repeats a finished epoch"


def test_neighbouring_seeds_and_epochs_share_no_order() -> None:
    orders = []
    for seed in range(5):
        batches = Batches(numbered(64), 64, seed=seed)
        orders += [tuple(seen(batches)[0]) for _ in range(5)]
    assert len(set(orders)) == 25


@pytest.mark.parametrize("world", [2, 3, 4])
def test_ranks_share_what_one_process_with_the_larger_batch_sees(world: int) -> None:
    alone = seen(Batches(numbered(50), 4 * world, seed=3))
    shares = [seen(Batches(numbered(50), 4, seed=3, rank=rank, world=world)) for rank in range(world)]
    assert {len(share) for share in shares} == {len(alone)}
    assert [joined(parts) for parts in zip(*shares, strict=True)] == alone


@pytest.mark.parametrize("samples", [48, 49, 50, 51])
def test_kept_last_samples_are_shared_among_the_ranks(samples: int) -> None:
    shares = [seen(Batches(numbered(samples), 8, drop_last=False, rank=rank, world=3)) for rank in range(3)]
    assert len({len(share) for share in shares}) == 1
    assert sorted(joined(joined(share) for share in shares)) == list(range(samples))
    last = [len(share[-1]) for share in shares]
    assert max(last) - min(last) <= 1


def test_evaluation_sees_every_sample_once_in_order_every_time() -> None:
    batches = Batches(numbered(11), 4, shuffle=False, drop_last=False)
    assert seen(batches) == seen(batches) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10]]
    assert len(batches) == 3


@pytest.mark.parametrize("lazy", [False, True])
def test_a_position_continues_with_the_batch_that_would_have_come(lazy: bool) -> None:
    whole = Batches(source(40, lazy), 4, seed=7)
    expected = [batch for _ in range(3) for batch in seen(whole)]
    for stop in range(25):
        interrupted, count = Batches(source(40, lazy), 4, seed=7), 0
        found: list[list[int]] = []
        while count < stop:
            for batch in interrupted:
                found.append(batch.index.tolist())
                count += 1
                if count == stop:
                    break
        resumed = Batches(source(40, lazy), 4, seed=7)
        resumed.load_state_dict(interrupted.state_dict())
        while len(found) < len(expected):
            found += seen(resumed)
        assert found == expected


def test_the_position_counts_what_was_received_not_what_was_read_ahead() -> None:
    data = source(40, lazy=True)
    batches = Batches(data, 4, seed=0)
    walk = iter(batches)
    next(walk)
    time.sleep(0.05)
    assert isinstance(data, Slow)
    assert len(data.threads) == 2
    assert batches.state_dict() == {"epoch": 0, "batch": 1}
    assert threading.current_thread().name not in data.threads


def test_an_abandoned_iterator_leaves_no_thread_behind() -> None:
    before = threading.active_count()
    walk = iter(Batches(source(40, lazy=True), 4))
    next(walk)
    del walk
    assert threading.active_count() == before


def test_the_state_after_a_whole_epoch_is_the_next_ones_beginning() -> None:
    batches = Batches(numbered(12), 4)
    seen(batches)
    assert batches.state_dict() == {"epoch": 1, "batch": 0}
    walk = iter(batches)
    assert batches.state_dict() == {"epoch": 1, "batch": 0}
    for _ in range(3):  # a consumer that counts batches never asks for a fourth
        next(walk)
    assert batches.state_dict() == {"epoch": 2, "batch": 0}


def test_making_an_iterator_twice_loses_nothing() -> None:
    batches = Batches(numbered(12), 4)
    batches.load_state_dict({"epoch": 2, "batch": 1})
    iter(batches)
    assert len(seen(batches)) == 2
    assert batches.epoch == 2
    assert len(seen(batches)) == 3
    assert batches.epoch == 3


def test_an_older_iterator_is_refused() -> None:
    batches = Batches(numbered(12), 4)
    old = iter(batches)
    next(old)
    next(iter(batches))
    with pytest.raises(RuntimeError, match="one iterator at a time"):
        next(old)


def test_a_reading_error_reaches_the_consumer() -> None:
    class Broken(Slow):
        def read(self, index: Tensor) -> Tensor:
            raise ValueError("'a.png': gone")

    whole = numbered(8)
    with pytest.raises(ValueError, match=r"a\.png"):
        next(iter(Batches(Broken(values=whole.values, label=whole.label, threads=[]), 4)))


@pytest.mark.parametrize(
    ("batch", "rank", "world", "message"),
    [
        (0, 0, 1, "batch >= 1"),
        (21, 0, 1, "at least 21 samples"),
        (11, 0, 2, r"at least 22 samples \(11 for each of 2 processes\), found 20"),
        (4, 2, 2, "rank 2 of 2"),
        (4, 0, 0, "world >= 1"),
    ],
)
def test_impossible_numbers_are_refused(batch: int, rank: int, world: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Batches(numbered(20), batch, rank=rank, world=world)


@pytest.mark.parametrize("state", [{"epoch": 0, "batch": 5}, {"epoch": -1, "batch": 0}, {"epoch": 0, "batch": -1}])
def test_a_position_of_other_data_is_refused(state: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="epochs of 5 batches"):
        Batches(numbered(20), 4).load_state_dict(state)


class Watcher(pl.LightningModule):
    """Learns next to nothing; writes down what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)
        self.log_book: list[tuple[int, int, list[int]]] = []
        self.ends: list[int] = []
        self.positions: list[tuple[int, int]] = []

    def training_step(self, batch: RawBatch, batch_idx: int) -> Tensor:
        self.log_book.append((self.current_epoch, batch_idx, batch.index.tolist()))
        loader = self.trainer.train_dataloader
        assert isinstance(loader, Batches)
        self.positions.append((loader.epoch, loader.batch))
        return self.layer(batch.images).square().mean()

    def validation_step(self, batch: RawBatch, batch_idx: int) -> None:
        pass

    def on_train_epoch_end(self) -> None:
        self.ends.append(len(self.log_book))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.01)


def fit(tmp_path, model: Watcher, lazy: bool, resume: str | None = None, steps: int = -1) -> None:
    each_step = pl.callbacks.ModelCheckpoint(tmp_path, filename="{step}", save_top_k=-1, every_n_train_steps=1)
    each_epoch = pl.callbacks.ModelCheckpoint(
        tmp_path, filename="{epoch}", save_top_k=-1, every_n_epochs=1, save_on_train_epoch_end=True
    )
    trainer = pl.Trainer(
        max_epochs=3 if steps < 0 else None,
        max_steps=steps,
        accelerator="cpu",
        logger=False,
        callbacks=[each_step, each_epoch],
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
    )
    loader = Batches(source(22, lazy), 4, seed=5)
    trainer.fit(
        model, loader, Batches(numbered(6), 4, shuffle=False, drop_last=False), ckpt_path=resume, weights_only=True
    )


@pytest.fixture
def quiet_lightning() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*exists and is not empty.*")
        warnings.filterwarnings("ignore", ".*LeafSpec.*", FutureWarning)  # Lightning's own
        yield


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("kept", ["step=1", "step=4", "step=5", "step=6", "step=10", "step=12", "epoch=0", "epoch=1"])
def test_lightning_resumes_with_exactly_the_batches_that_were_left(tmp_path, quiet_lightning, lazy, kept) -> None:
    whole = Watcher()
    fit(tmp_path, whole, lazy)
    assert [place[:2] for place in whole.log_book] == [(epoch, batch) for epoch in range(3) for batch in range(5)]
    assert whole.ends == [5, 10, 15]
    assert whole.positions == [(epoch, batch + 1) for epoch in range(3) for batch in range(5)]
    number = int(kept.split("=")[1])
    done = number if kept.startswith("step") else 5 * (number + 1)
    rest = Watcher()
    fit(tmp_path, rest, lazy, resume=str(tmp_path / f"{kept}.ckpt"))
    assert rest.log_book == whole.log_book[done:]
    assert [done + end for end in rest.ends] == [end for end in whole.ends if end > done]
    assert rest.positions == whole.positions[done:]


@pytest.mark.parametrize("kept", [3, 7])
def test_a_run_of_so_many_steps_resumes_the_same_way(tmp_path, quiet_lightning, kept) -> None:
    whole, rest = Watcher(), Watcher()
    fit(tmp_path, whole, lazy=False, steps=12)
    fit(tmp_path, rest, lazy=False, steps=12, resume=str(tmp_path / f"step={kept}.ckpt"))
    assert len(whole.log_book) == 12
    assert rest.log_book == whole.log_book[kept:]
