"""The page of the options is that of the options."""

from __future__ import annotations

from .options_page import PAGE, page


def test_the_page_of_the_options_is_made_of_their_record() -> None:
    """After a change `python -m tests.end_to_end.options_page` writes it."""
    assert PAGE.read_text(encoding="utf-8") == page()
