"""What all tests share. Nothing leaves this machine: see ``addopts`` in pyproject.toml."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# A slow machine is not a bug, and CI must not fail by chance: there the same examples every time.
settings.register_profile("dev", deadline=None)
settings.register_profile(
    "ci", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("thorough", deadline=None, max_examples=2000)
settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev")
)
