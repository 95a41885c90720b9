"""As whom PostgreSQL runs: it refuses to run as root, and needs no user of its own."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from llamalog_tools.devstack.errors import LocalStackError


@dataclass(frozen=True)
class Account:
    """How a program is started: words before its command line, and the user it becomes (None: stays)."""

    prefix: tuple[str, ...] = ()
    uid: int | None = None
    gid: int | None = None


SELF = Account()
_MAPPED = Account(prefix=("unshare", "--user", "--map-user=1000", "--map-group=1000"))


def unprivileged_account(folder: Path) -> Account:
    """The account for a program that refuses root, to work on the files in `folder`.

    An ordinary user stays what it is. Root is shown to the program as uid 1000 (a user namespace: files keep
    their owner); where the kernel or a container forbids that, it becomes `nobody`, who is given the folder.
    Files that are already there decide: their owner goes on.
    """
    if os.geteuid() != 0:
        return SELF
    owner = folder.stat()
    if owner.st_uid != 0:
        return Account(uid=owner.st_uid, gid=owner.st_gid)
    if _may_map_users():
        return _MAPPED
    return _nobody(folder)


def _may_map_users() -> bool:
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*_MAPPED.prefix, "true"], capture_output=True, check=False).returncode == 0


def _nobody(folder: Path) -> Account:
    user = pwd.getpwnam("nobody")
    closed = [parent for parent in folder.parents if not parent.stat().st_mode & 0o001]
    if closed:
        raise LocalStackError(
            f"PostgreSQL refuses to run as root, and as `nobody` it cannot enter {closed[-1]}. "
            "Choose a data directory that every user can reach, or start the stack as an ordinary user."
        )
    for path in (folder, *folder.rglob("*")):
        os.chown(path, user.pw_uid, user.pw_gid)
    return Account(uid=user.pw_uid, gid=user.pw_gid)
