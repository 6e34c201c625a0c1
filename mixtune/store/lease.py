"""Who holds a study: how a process names itself as owner, and how another one sees that it is gone."""

import socket
from dataclasses import dataclass
from pathlib import Path

import psutil

from mixtune.errors import LeaseHeld
from mixtune.store.base import LEASE_SECONDS


@dataclass(frozen=True, slots=True)
class Owner:
    """A process that drives a study. Its text form is what a Lease carries as owner.

    host is everything that makes a process number mean the same process: host name, boot, pid namespace and user
    (another user's processes may be hidden). started is the start of the process on the clock of that host, which a
    changed wall clock does not move where the system tells it (Linux).
    """

    host: str
    pid: int
    started: str

    def __str__(self) -> str:
        return f"{self.host} {self.pid} {self.started}"

    @classmethod
    def parse(cls, text: str) -> "Owner | None":
        """Read the text form back, None if it is not one."""
        parts = text.split(" ")
        if len(parts) != 3 or not parts[1].isdecimal():
            return None
        return cls(parts[0], int(parts[1]), parts[2])


def process_owner() -> str:
    """Name this process as the owner of a lease."""
    process = psutil.Process()
    return str(Owner(_host(), process.pid, _started(process)))


def is_gone(owner: str) -> bool:
    """Say whether the owner is a process of this very host that has ended.

    An owner of another host, or one that is no process, is never known to be gone: its lease has to expire.
    """
    known = Owner.parse(owner)
    if known is None or known.host != _host():
        return False
    try:
        process = psutil.Process(known.pid)
        return process.status() == psutil.STATUS_ZOMBIE or _started(process) != known.started
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        return False  # there, but hidden


def is_living(owner: str | None, idle: float) -> bool:
    """Say whether a lease has a holder that is not known to be gone and was heard of in time; idle is in seconds."""
    return owner is not None and idle < LEASE_SECONDS and not is_gone(owner)


def held(study: str, owner: str, idle: float) -> LeaseHeld:
    """Make the answer to whoever asks for a study that is driven already; idle is the holder's silence in seconds."""
    known = Owner.parse(owner)
    who = f"process {known.pid} on {known.host.split('/')[0]}" if known else owner
    return LeaseHeld(
        f"study {study!r} is driven by {who}, heard of {max(idle, 0):.0f} s ago: end that process (Ctrl-C keeps what "
        f"it has done), or wait; if it is dead, its lease ends in {max(LEASE_SECONDS - idle, 0):.0f} s"
    )


def _host() -> str:
    boot = Path("/proc/sys/kernel/random/boot_id")
    namespace = Path("/proc/self/ns/pid")
    parts = [
        socket.gethostname(),
        boot.read_text().strip() if boot.exists() else "",
        namespace.readlink().name if namespace.is_symlink() else "",
        psutil.Process().username(),
    ]
    return "/".join("".join("_" if sign.isspace() or sign == "/" else sign for sign in part) for part in parts)


def _started(process: psutil.Process) -> str:
    stat = Path(f"/proc/{process.pid}/stat")
    try:
        # Field 22, clock ticks since boot; the second field, a name in brackets, may hold anything.
        return stat.read_text(errors="replace").rpartition(")")[2].split()[19]
    except (FileNotFoundError, ProcessLookupError):
        return f"{process.create_time():.2f}"
