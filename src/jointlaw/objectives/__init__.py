"""Objectives: what a batch of embeddings is judged by."""

from jointlaw.objectives._contrastive import NCL, MoCo, RepReLU, SimCLR
from jointlaw.objectives._gje import DualGJE, NaiveGJE, PrimalGJE, PrimalHSIC
from jointlaw.objectives._gmje import GMJE, ConditionalGMJE
from jointlaw.objectives._lejepa import LeJEPA
from jointlaw.objectives._lpjepa import RectifiedLpJEPA
from jointlaw.objectives._objective import Objective
from jointlaw.objectives._predictive import BYOL, JEPA
from jointlaw.objectives._smc import SMCGMJE
from jointlaw.objectives._swav import SwAV
from jointlaw.objectives._threshold import Threshold
from jointlaw.objectives._vicreg import VICReg

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
