"""A clip of a training set, and what each format of a set does with some of them: it packs them into files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Clip:
    """A finished video: where it is now, and what is known of it. `fps` is a fraction, as "30000/1001".

    `name` is its name in the set, with `/` between its parts. `facts` are what its job's row says: a prompt, a seed.
    """

    path: str
    name: str
    bytes: int
    sha256: str
    frames: int
    width: int
    height: int
    fps: str
    codec: str
    facts: Mapping[str, Any]


class Packing(Protocol):
    """A format of training sets. A shard is one file of it, or several of one number, the first of which names it."""

    @property
    def shard_bytes(self) -> int:
        """How many bytes of clips a shard has at most, where nothing else is asked for."""

    def names(self, number: int) -> tuple[str, ...]:
        """Give the names under the prefix of the files of a shard."""

    @property
    def is_one_whole(self) -> bool:
        """Whether shards count on those before them, so that none may be missing, and no other run makes some."""

    def problem_of_row(self, name: str, options: Mapping[str, Any]) -> str:
        """Say why a clip of this name and options can't be in the set; "" where it can. Each job is asked for once."""

    def problem(self, clip: Clip) -> str:
        """Say why a finished clip can't be packed behind those before it; "" where it can."""

    def resume(self, clips: Iterable[Clip]) -> None:
        """Take the clips that earlier runs have packed, in the order of the set. They are nowhere else."""

    def pack(self, number: int, clips: Sequence[Clip], paths: Sequence[str]) -> None:
        """Write a shard, whose files are to be at these paths: the same clips give the same bytes."""

    def finish(self) -> Mapping[str, bytes]:
        """Give the files, by their names, that tell of all shards."""


def seed_of(facts: Mapping[str, Any]) -> int | None:
    """Give the seed as torch takes one, 0 to 2⁶⁴ - 1; None where there is none, or another.

    >>> seed_of({"seed": "7"}), seed_of({"seed": -1}), seed_of({})
    (7, None, None)
    """
    try:
        seed = int(facts["seed"])
    except (KeyError, TypeError, ValueError):
        return None
    return seed if 0 <= seed < 2**64 else None


def prompt_of(facts: Mapping[str, Any]) -> str | None:
    """Give the prompt, as it can be in UTF-8; None where there is none."""
    prompt = facts.get("prompt")
    return None if prompt is None else str(prompt).encode("utf-8", "replace").decode()
