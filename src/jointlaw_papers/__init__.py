"""Experiments of the papers, one file per table or figure."""
