"""Runs: a test set asked of a collection, one record a question in a folder; runs compared, gated and swept over settings."""
