"""The table of engines: where each comes from, and which options it takes."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from functools import partial
from typing import Any, TypeAlias

from ..errors import MissingDependencyError, OptionError
from .local import run_locally
from .pending import Attempt
from .work import Outcome

Engine: TypeAlias = Callable[..., Generator[tuple[Attempt, Outcome]]]


def _locally() -> Engine:
    return run_locally


def _on_ray() -> Engine:
    try:
        from .on_ray import run_on_ray  # start-up: Ray takes a second
    except ImportError as error:
        raise MissingDependencyError("engine='ray' needs pip install 'telecine[ray]'") from error
    return run_on_ray


_ENGINES: Mapping[str, tuple[Callable[[], Engine], tuple[str, ...]]] = {
    "local": (_locally, ("workers", "memory")),
    "ray": (_on_ray, ("workers", "address", "resources")),
}


def engine_of(options: Mapping[str, Any]) -> Engine:
    """Give the engine that options name, with its own among them.

    Raises:
        OptionError: there is none, or an option is of another.
        MissingDependencyError: Ray.
    """
    name = options["engine"]
    if name not in _ENGINES:
        raise OptionError(f"engine={name!r} is not known: use {' or '.join(map(repr, _ENGINES))}")
    find, taken = _ENGINES[name]
    for option in {each for _, of_one in _ENGINES.values() for each in of_one}:
        if options[option] is not None and option not in taken:
            raise OptionError(f"{option}= is not of engine={name!r}, which takes {', '.join(taken)}: leave it out")
    return partial(find(), **{option: options[option] for option in taken})
