"""How tests wait: for a condition, and never for a time."""

import time

PATIENCE_SECONDS = 120


def wait_for(look, explain):
    """Waits until `look` gives something, and gives that; else fails with what `explain` says."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(0.05)
    raise AssertionError(f"it did not happen within {PATIENCE_SECONDS} s:\n{explain()}")
