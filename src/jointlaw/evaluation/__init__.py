"""Judging a trained learner: tables, probes, sparsity, geometry, fidelity to the law."""
