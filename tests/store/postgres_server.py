"""A real PostgreSQL server in a folder of its own, reached by a socket in that folder; run as another user for root."""

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path


def binaries() -> Path | None:
    """The folder of initdb and pg_ctl, None where PostgreSQL is not installed."""
    for folder in [*os.environ["PATH"].split(os.pathsep), *map(str, Path("/usr/lib/postgresql").glob("*/bin"))]:
        if (Path(folder) / "initdb").exists() and (Path(folder) / "pg_ctl").exists():
            return Path(folder)
    return None


class PostgresServer:
    def __init__(self, bin_folder: Path) -> None:
        self.bin = bin_folder
        self.root = Path(tempfile.mkdtemp(prefix="mt-pg-", dir="/tmp"))  # short: a socket's path holds 107 signs
        self.user: str | None = None
        if os.getuid() == 0:
            names = {entry.pw_name for entry in pwd.getpwall()}
            self.user = "postgres" if "postgres" in names else "nobody"
            shutil.chown(self.root, self.user)
        self._run("initdb", "-U", "mixtune", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "-D", self.data)

    @property
    def data(self) -> str:
        return str(self.root / "data")

    def start(self) -> None:
        options = f"-k {self.root} -c listen_addresses='' -c fsync=off -c shared_buffers=16MB -c max_connections=40"
        log = str(self.root / "log")
        self._run("pg_ctl", "-D", self.data, "-w", "-t", "60", "-l", log, "-o", options, "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-D", self.data, "-m", "immediate", "-w", "stop")

    def remove(self) -> None:
        shutil.rmtree(self.root)

    def url(self, schema: str = "public") -> str:
        """Where tables go to a schema: as good as a database of its own, and a hundred times cheaper to make."""
        return f"postgresql://mixtune@/postgres?host={self.root}&options=-csearch_path%3D{schema}"

    def _run(self, program: str, *arguments: str) -> None:
        group = pwd.getpwnam(self.user).pw_gid if self.user else None
        done = subprocess.run(
            [str(self.bin / program), *arguments],
            user=self.user,
            group=group,
            extra_groups=[] if self.user else None,
            cwd=self.root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # the server inherits it: a pipe would never end
            stderr=subprocess.DEVNULL,
            check=False,
        )
        if done.returncode:
            log = self.root / "log"
            raise RuntimeError(f"{program} failed ({done.returncode}): {log.read_text() if log.exists() else ''}")
