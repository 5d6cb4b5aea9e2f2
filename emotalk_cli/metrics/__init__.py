"""Metrics, one subject a file, and the report."""
