"""From a run to files that answer without this package: python -m export RUN --format saved_model."""
