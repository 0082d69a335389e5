"""The lock of an open file or folder, by which a living writer is told from a dead one.

It belongs to what is open, which a forked child has too: so it is released in words, and the child lets go at once.
"""

from __future__ import annotations

import contextlib
import errno
import os

try:
    import fcntl
except ImportError:  # Windows: writers to one path are not told of each other
    fcntl = None  # type: ignore[assignment]

_NO_LOCKS = {errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK, errno.ENOSYS, errno.EINVAL}
_held: dict[int, os.stat_result] = {}  # what is locked, by its descriptor


def take_lock(descriptor: int) -> bool:
    """Take the lock of an open file or folder; False if somebody has it. Where there are no locks, nobody has."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:  # a network share without locks
            raise
    _held[descriptor] = os.fstat(descriptor)
    return True


def release_lock(descriptor: int) -> None:
    """Release the lock, if it was taken."""
    if _held.pop(descriptor, None) is not None:
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_UN)


def _let_go_in_child() -> None:
    """Let what is locked be its parent's alone: its child may live longer, and must not write there."""
    for descriptor, found in _held.items():
        with contextlib.suppress(OSError):
            if os.path.samestat(os.fstat(descriptor), found):
                nothing = os.open(os.devnull, os.O_RDWR)
                os.dup2(nothing, descriptor, inheritable=False)
                os.close(nothing)
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go_in_child)
