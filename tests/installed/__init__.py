"""What `make test-latest` and `make test-lowest` run against an installed telecine, far from its source.

They need pytest and what `telecine[all]` brings, and nothing else of `tests`.
"""
