"""Tests through the public names, on real files."""

import pytest

pytest.register_assert_rewrite("tests.helpers", "tests.journals", "tests.mp4")
