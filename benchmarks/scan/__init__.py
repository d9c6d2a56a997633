"""Benchmarks of the video scanner: `python -m benchmarks.scan`."""
