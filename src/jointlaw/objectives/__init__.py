"""Objectives: what a batch of embeddings is judged by."""

from jointlaw.objectives.contrastive import NCL, MoCo, RepReLU, SimCLR
from jointlaw.objectives.gje import DualGJE, NaiveGJE, PrimalGJE, PrimalHSIC
from jointlaw.objectives.gmje import GMJE, ConditionalGMJE
from jointlaw.objectives.lejepa import LeJEPA
from jointlaw.objectives.lpjepa import RectifiedLpJEPA
from jointlaw.objectives.objective import Objective
from jointlaw.objectives.predictive import BYOL, JEPA
from jointlaw.objectives.smc import SMCGMJE
from jointlaw.objectives.swav import SwAV
from jointlaw.objectives.threshold import Threshold
from jointlaw.objectives.vicreg import VICReg

__all__ = [
    "BYOL",
    "GMJE",
    "JEPA",
    "NCL",
    "SMCGMJE",
    "ConditionalGMJE",
    "DualGJE",
    "LeJEPA",
    "MoCo",
    "NaiveGJE",
    "Objective",
    "PrimalGJE",
    "PrimalHSIC",
    "RectifiedLpJEPA",
    "RepReLU",
    "SimCLR",
    "SwAV",
    "Threshold",
    "VICReg",
]
