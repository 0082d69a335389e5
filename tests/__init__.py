"""Tests through the public names, on real files."""
