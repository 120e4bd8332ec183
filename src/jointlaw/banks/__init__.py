"""Banks: memories of past embeddings, to contrast new ones with."""

from jointlaw.banks._bank import Bank
from jointlaw.banks._fifo import FIFO
from jointlaw.banks._particles import Particles

__all__ = ["FIFO", "Bank", "Particles"]
