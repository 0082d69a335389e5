"""Benchmarks: every figure is a ratio to a peer or to a limit, in one run. `python -m bench` runs all of them."""
