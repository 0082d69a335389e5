"""An assertion that fails in a helper says what it compared, as one in a test does."""

from __future__ import annotations

from pathlib import Path

import pytest

from .helpers import assert_untouched


def test_a_failing_assertion_of_a_helper_shows_its_values(path: Path) -> None:
    with pytest.raises(AssertionError, match=r"an older clip.* == b'another"):
        assert_untouched(path, held=b"another")
