"""Objectives: what a batch of embeddings is judged by."""
