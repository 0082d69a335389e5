"""Tries before the first frame what a publication does at its end, on the filesystem where it will do it.

To entries of our own it does the very thing; to the target what would do it, but for a reason of our making why it
can't: a system that refuses it for another says that one first.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterator

from .hidden import HiddenFolder, free_name, new_file, new_folder, put
from .open_folder import Folder, os_error

_SPACE = 4096  # bytes that there must be room for: a page, which a full disk has not
_OF_OUR_MAKING = {errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENOTEMPTY}

# Named as a frame that isn't whole, which a next writer removes should this one be killed.
_PROBE = "000000.png.part"

Move = Callable[[HiddenFolder, str, str], HiddenFolder | None]


def prove_file(folder: Folder, name: str, other: str, overwrite: bool) -> None:
    """Write a file under one hidden name and publish it under the other.

    Raises:
        OSError: it can't be done here.
    """
    with contextlib.ExitStack() as made:
        file = made.enter_context(new_file(folder, name))
        made.callback(file.remove)
        if overwrite:
            # What is written goes with the one that is replaced: ext4 brings the other to the disk before it replaces.
            with new_file(folder, other) as old:
                made.callback(old.remove)
                old.write(bytes(_SPACE))
            other = old.entry
        else:
            file.write(bytes(_SPACE))
            other = free_name(folder, other)
        put(file, other, overwrite)
        file.renamed(other)


def prove_new_folder(folder: Folder, name: str, other: str) -> None:
    """Make a folder with a file in it, and give it another name.

    Raises:
        OSError: it can't be done here.
    """
    with _folder_with_a_file(folder, name) as new:
        new.move(other)


def prove_exchange(folder: Folder, name: str, other: str, aside: str, move: Move) -> None:
    """Move a folder of ours onto another, with what moves the real ones.

    Raises:
        OSError: it can't be done here.
    """
    with _folder_with_a_file(folder, name) as new, _folder_with_a_file(folder, other) as old:
        replaced = move(new, old.entry, aside)
        if replaced is not None:
            old.renamed(replaced.entry)
            replaced.close()


def prove_file_target(folder: Folder, target: str, other: str) -> None:
    """Rename a file that will be replaced onto a folder of ours, which can't be, by POSIX.

    Raises:
        OSError: its filesystem would refuse to replace it.
    """
    if folder.descriptor is None:
        return
    if _mount_of(folder, target) != _mount(folder.descriptor):  # Linux looks at the kind before it looks at this
        raise os_error(errno.EBUSY)
    other = free_name(folder, other)
    folder.make_folder(other, 0o700)
    try:
        _rename_in_vain(folder, target, other)
    finally:
        folder.remove_folder(other)


def prove_folder_target(folder: Folder, target: str, other: str) -> None:
    """Rename a folder that will be replaced onto one of ours with something in it, which can't be, by POSIX.

    Raises:
        OSError: its filesystem would refuse to replace it.
    """
    if folder.descriptor is not None:
        with _folder_with_a_file(folder, other) as in_the_way:
            _rename_in_vain(folder, target, in_the_way.entry)


def _rename_in_vain(folder: Folder, name: str, to: str) -> None:
    try:
        folder.rename(name, to)
    except OSError as error:
        if error.errno not in _OF_OUR_MAKING:
            raise
    else:
        folder.rename(to, name)  # somebody has put a folder in its place just now


@contextlib.contextmanager
def _folder_with_a_file(folder: Folder, name: str) -> Iterator[HiddenFolder]:
    with new_folder(folder, name) as made:
        try:
            with new_file(made, _PROBE) as file:
                try:
                    file.write(bytes(_SPACE))
                    yield made
                finally:
                    file.remove()
        finally:
            made.remove()


def _mount_of(folder: Folder, name: str) -> bytes:
    """Give what Linux calls the mount that a name leads into; nothing where it doesn't tell."""
    if not hasattr(os, "O_PATH"):
        return b""
    descriptor = folder.open(name, os.O_PATH)
    try:
        return _mount(descriptor)
    finally:
        os.close(descriptor)


def _mount(descriptor: int) -> bytes:
    try:
        info = os.open(f"/proc/self/fdinfo/{descriptor}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return next((line for line in os.read(info, 4096).splitlines() if line.startswith(b"mnt_id:")), b"")
    finally:
        os.close(info)
