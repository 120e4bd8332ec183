"""The procedure of training a run."""

import logging
from typing import TYPE_CHECKING

from jointlaw._extras import require
from jointlaw.runs._console import first_process, say
from jointlaw.runs._encoder import WEIGHTS, encoder_state

if TYPE_CHECKING:
    from jointlaw.runs._run import Run
    from jointlaw.training import Learner


def train(run: "Run") -> "Learner":
    """Train a run, or go on with it; the trained learner, on the CPU and in evaluation mode.

    Settings, data and folder are checked before anything is written.
    """
    import pytorch_lightning as pl

    from jointlaw.runs._trainer import choose_accelerator, choose_precision, fit
    from jointlaw.training import ViewedData
    from jointlaw.training._online import probe_beside

    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)  # it says the same of every training
    settings, workspace = run.setup.run, run.workspace
    if settings.report:
        require("report")  # now rather than when the training has ended
    data = run.data
    choose_accelerator(settings)  # refuses what is not there before a folder is made
    run.configuration = run.configuration.settled(run.setup.settled(data))
    run.shape, run.classes = data.train.shape, data.train.classes
    run.probe_data()
    pl.seed_everything(settings.seed, verbose=False)
    learner = run.fresh_learner()
    feed, online = ViewedData(data, run.views, settings.batch, settings.seed), probe_beside(learner, data, run.views)
    if settings.resume:
        workspace.resume(run.configuration.tree())
    elif first_process():
        workspace.start(run.configuration.tree())
    say(*data.notes)
    epochs, precision = settings.epochs_for(len(data.train)), choose_precision(settings)
    say(f"{run.configuration.recipe}: {len(data.train):,} samples, {epochs} epochs, precision {precision}")
    try:
        if first_process():
            workspace.note(run.shape, run.classes)
        figures = fit(learner, feed, settings, workspace, online)
    except BaseException as error:
        error.add_note(_what_is_left(run))
        raise
    if first_process():
        workspace.write_weights(WEIGHTS, encoder_state(learner, run.configuration, run.shape))
        workspace.add_results(dict(figures))
    return learner.cpu().eval()


def _what_is_left(run: "Run") -> str:
    """After a failure in training: remove a folder that cannot be gone on with, and tell what there is."""
    if not run.setup.run.resume and first_process() and run.workspace.abandon():
        return "There was no checkpoint yet (see --run.checkpoint_steps); the run folder was removed."
    return f"The last checkpoint is kept; go on with --run.folder={run.workspace.folder} --run.resume=true."
