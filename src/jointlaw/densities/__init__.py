"""Densities: modules that return laws, learned by gradient or fitted to embeddings."""

from jointlaw.densities.density import Density

__all__ = ["Density"]
