"""A run on the number of processes given, whose weights stand still; its network as it is saved, in a file.

``python settled_run.py DEVICES FOLDER``: a script of its own, because the strategy starts further processes by running
it again.
"""

import sys
from pathlib import Path

import torch

from jointlaw.data import load
from jointlaw.laws import RectifiedGeneralizedGaussian
from jointlaw.networks import MLPEncoder, Projector
from jointlaw.objectives import RectifiedLpJEPA
from jointlaw.runs import RunSettings
from jointlaw.runs._console import first_process
from jointlaw.runs._folder import Workspace
from jointlaw.runs._trainer import fit
from jointlaw.training import AdamW, Learner, ViewedData
from jointlaw.views import digits, view_maker

BATCH = 256


def main(devices: int, folder: Path) -> None:
    torch.manual_seed(0)
    objective = RectifiedLpJEPA(RectifiedGeneralizedGaussian.with_activity(0.2))
    learner = Learner(MLPEncoder(64, 32, 16), Projector(16, 12, bias=False), objective, AdamW(learning_rate=1e-30))
    share = BATCH // devices
    settings = RunSettings(
        folder, epochs=1, batch=share, devices=devices, accelerator="cpu", precision="32", threads=1, report=False
    )
    workspace = Workspace(folder)
    if first_process():
        workspace.start({})
    fit(learner, ViewedData(load("digits"), view_maker(digits()), share, 0), settings, workspace, None)
    torch.save(learner.state_dict(), folder / "state.pt")


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
