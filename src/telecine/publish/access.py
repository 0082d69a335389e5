"""Who may do what with a file or a folder: read from the one that is replaced, given to the one in its place.

What is given is never open to more than the old one was, nor for a moment.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from .open_folder import Folder

_ACL = "system.posix_acl_access"
_SYSTEM = {_ACL, "system.posix_acl_default"}  # the second is what a folder gives to what is made in it
NEW_FILE, NEW_FOLDER = 0o666, 0o777  # less the umask


class Access(NamedTuple):
    """The owner, group, permissions and extended attributes of an entry.

    An `alien` one is somebody else's, in a folder where anybody can make what is then replaced: it gives nothing away.
    """

    owner: int
    group: int
    mode: int
    attributes: Mapping[str, bytes]
    alien: bool

    def give(self, descriptor: int) -> None:
        """Give it to an open entry that is private by now, as far as we may and the filesystem can."""
        if self.alien:
            return
        has_group = self._give_owner(descriptor)
        has_list = has_group or _ACL not in self.attributes
        for name, value in self.attributes.items():
            if has_group or name not in _SYSTEM:  # of which one names a group
                try:
                    os.setxattr(descriptor, name, value)
                except OSError:
                    has_list &= name != _ACL
        # Without its list, the permissions of the group are those of everybody on it.
        mode = self.mode if has_group and has_list else _narrow(self.mode) if has_list else self.mode & stat.S_IRWXU
        set_mode(descriptor, mode)

    def at_most(self, mode: int) -> Access:
        """Give what is left of it without other permissions than these, and without what users note of a file."""
        attributes = {name: value for name, value in self.attributes.items() if name in _SYSTEM}
        return self._replace(mode=self.mode & mode, attributes=MappingProxyType(attributes))

    def _give_owner(self, descriptor: int) -> bool:
        """Give owner and group, or the group alone; False if not even that."""
        for owner in (self.owner, -1):
            with contextlib.suppress(OSError):
                os.fchown(descriptor, owner, self.group)
                return True
        return os.fstat(descriptor).st_gid == self.group

    def meanwhile(self, made: os.stat_result) -> int:
        """Give the permissions of what lies beside it until then, with owner and group as made: to read, at most."""
        if self.alien:
            return stat.S_IMODE(made.st_mode)
        whole, to_read = (0o700, 0o055) if stat.S_ISDIR(made.st_mode) else (0o600, 0o044)
        shared = made.st_gid == self.group and _ACL not in self.attributes
        return whole | (self.mode & to_read if shared else 0)


def access_of(folder: Folder, name: str) -> Access:
    """Read that of an entry; where it can't be opened, what it may be without what can't be read.

    Raises:
        OSError: it is gone.
    """
    try:
        descriptor = folder.open(name, os.O_RDONLY)
    except PermissionError:
        found = folder.status(name)
        if found is None:
            raise
        # There may be a list, of which the group's permissions are part.
        owner_only, nothing = found.st_mode & stat.S_IRWXU, MappingProxyType[str, bytes]({})
        return Access(found.st_uid, found.st_gid, owner_only, nothing, _is_alien(folder, found))
    try:
        found = os.fstat(descriptor)
        attributes = {name: os.getxattr(descriptor, name) for name in _names_of_attributes(descriptor)}
    finally:
        os.close(descriptor)
    # A file's other bits say that it runs with somebody's rights, which new contents do not earn.
    mode = stat.S_IMODE(found.st_mode) & (0o3777 if stat.S_ISDIR(found.st_mode) else 0o777)
    return Access(found.st_uid, found.st_gid, mode, MappingProxyType(attributes), _is_alien(folder, found))


def mode_of_new(access: Access | None, new: int) -> int:
    """Give the permissions, less the umask, that are asked for when a file or folder is made in place of another."""
    if access is None:
        return new
    return access.mode & new if access.alien else new & 0o700


def set_mode(descriptor: int, mode: int) -> None:
    """Set permissions, where the system and the filesystem have them."""
    if hasattr(os, "fchmod"):
        with contextlib.suppress(OSError):
            os.fchmod(descriptor, mode)


def _is_alien(folder: Folder, found: os.stat_result) -> bool:
    around = folder.own_status()
    return bool(around.st_mode & stat.S_IWOTH) and not folder.is_ours(found)


def _names_of_attributes(descriptor: int) -> list[str]:
    if not hasattr(os, "listxattr"):
        return []
    try:
        return [each for each in os.listxattr(descriptor) if each.startswith("user.") or each in _SYSTEM]
    except OSError:  # a filesystem without
        return []


def _narrow(mode: int) -> int:
    """Give what a mode is where the group is another: for all, what both the old group and all others had."""
    return mode & stat.S_IRWXU | (mode >> 3 & mode & 0o7) * 0o11
