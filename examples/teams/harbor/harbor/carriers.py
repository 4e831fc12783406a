"""Carriers and their time limits."""

TIMEOUT_SECONDS = 30  # FIXME: one carrier answers after 40


def is_late(seconds: float) -> bool:
    """Whether a carrier took longer than it may."""
    return seconds > TIMEOUT_SECONDS
