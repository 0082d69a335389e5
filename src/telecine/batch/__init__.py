"""Hands out, when they are asked for, the names that pipelines take from here: each imports more than a batch does."""

from importlib import import_module
from typing import TYPE_CHECKING

_WHEN_ASKED = {"Exporter": "stages.exporter", "VideoDatasink": "stages.datasink"}

if TYPE_CHECKING:
    from ..stages.datasink import VideoDatasink
    from ..stages.exporter import Exporter
else:  # of which a type checker would take any name

    def __getattr__(name: str) -> object:
        if name not in _WHEN_ASKED:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        try:
            module = import_module(f"..{_WHEN_ASKED[name]}", __name__)
        except ModuleNotFoundError as error:
            if error.name is None or error.name.partition(".")[0] != "ray":
                raise
            errors = import_module("..errors", __name__)
            raise errors.MissingDependencyError(f"{name} needs pip install 'telecine[ray]'") from error
        return globals().setdefault(name, getattr(module, name))


__all__ = ["Exporter", "VideoDatasink"]
