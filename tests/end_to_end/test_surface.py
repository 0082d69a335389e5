"""What others build on does not change by accident."""

from __future__ import annotations

from .surface import PINNED, surface


def test_the_public_names_their_parameters_and_the_commands_options_are_the_pinned_ones() -> None:
    """One that was meant is written down by `python -m tests.end_to_end.surface`."""
    assert surface() == PINNED.read_text(encoding="utf-8")
