"""Banks: memories of past embeddings, to contrast new ones with."""

from jointlaw.banks.bank import Bank
from jointlaw.banks.fifo import FIFO
from jointlaw.banks.particles import Particles

__all__ = ["FIFO", "Bank", "Particles"]
