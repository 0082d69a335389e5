"""Which process of a distributed run writes, told by torch.distributed or by what started the processes."""

from __future__ import annotations

import io
import os
import sys
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from ..errors import OptionError
from ..support.rate import is_whole

# The rank and the number of processes, as they are told by torchrun, DeepSpeed and Accelerate; mpirun; srun.
_VARIABLES = (
    ("RANK", "WORLD_SIZE"),
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    ("SLURM_PROCID", "SLURM_NTASKS"),
)


class Share(NamedTuple):
    """This process's part of a file that one of so many processes writes: that of rank `writer`."""

    rank: int
    processes: int
    writer: int

    @property
    def writes(self) -> bool:
        """Whether it is this one."""
        return self.rank == self.writer

    @property
    def note(self) -> str:
        """What the video's notes say."""
        if self.writes:
            return f"written on rank {self.writer} of {self.processes}"
        return f"rank {self.rank} of {self.processes}: written on rank {self.writer}"


def share_of(only_rank: int | None) -> Share | None:
    """Tell which rank this is, and whether it writes; None where every process does.

    Raises:
        OptionError: it is no rank of this run, or the environment tells none.
    """
    if only_rank is None:
        return None
    if not is_whole(only_rank):
        raise OptionError(f"only_rank={only_rank!r} is no rank: use the number of the process that writes, such as 0")
    rank, count = _rank_and_count()
    if not 0 <= only_rank < count:
        there_are = "one process, of rank 0" if count == 1 else f"processes of rank 0 to {count - 1}"
        raise OptionError(f"only_rank={only_rank!r} would be written by none: this run has {there_are}")
    return Share(rank, count, int(only_rank))


def is_elsewhere(only_rank: int | None) -> bool:
    """Tell whether it is another rank that writes. Raises as `share_of`."""
    share = share_of(only_rank)
    return share is not None and not share.writes


def _rank_and_count() -> tuple[int, int]:
    distributed = sys.modules.get("torch.distributed")
    if distributed is not None and distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    for names in _VARIABLES:
        told = [os.environ.get(name, "") for name in names]
        if all(told):
            return _read(names, told)
    return 0, 1


def _read(names: tuple[str, str], told: list[str]) -> tuple[int, int]:
    said = " and ".join(f"{name}={value}" for name, value in zip(names, told, strict=True))
    try:
        rank, count = map(int, told)
    except ValueError:
        raise OptionError(f"only_rank= needs a rank, and {said} in the environment is none") from None
    if not 0 <= rank < count:
        raise OptionError(f"only_rank= needs a rank, and {said} in the environment is none")
    return rank, count


def use_up(frames: object) -> None:
    """Ask an iterator for all it has, and keep nothing: what gives frames may do so in step on all ranks."""
    if isinstance(frames, Iterator) and not isinstance(frames, io.IOBase):
        deque(frames, maxlen=0)
