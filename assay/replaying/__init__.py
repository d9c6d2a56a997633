"""Deciding again about what a run has scored: replay, what a policy would change, and thresholds from labels."""
