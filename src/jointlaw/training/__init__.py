"""Training: data, views, learner, recipes and runs."""
