"""What all tests share."""

from __future__ import annotations

from hypothesis import settings

# A deadline for each example measures the machine: two busy cores have failed tests that hold.
settings.register_profile("assay", deadline=None)
settings.load_profile("assay")
