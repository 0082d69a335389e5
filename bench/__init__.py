"""Benchmarks: every figure is a ratio in one run. `python -m bench.convert`, `python -m bench.latency`."""
