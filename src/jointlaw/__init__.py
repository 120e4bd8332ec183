"""jointlaw: choose or learn the law of joint embeddings, then train, infer and diagnose with it."""

__version__ = "0.1.0"
