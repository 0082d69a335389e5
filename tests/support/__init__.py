"""What the tests of every package use; and, in `test_*.py`, the tests of `telecine.support`."""
