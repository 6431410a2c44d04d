"""A PostgreSQL server of the tests' own, where its programs are installed."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ACCOUNT = "postgres"
DEBIAN = "/usr/lib/postgresql"


def _programs() -> Path:
    """The folder of `initdb` and `pg_ctl`: Debian has none of them in PATH."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).resolve().parent
    folders = sorted(Path(DEBIAN).glob("*/bin"), key=lambda folder: int(folder.parent.name))
    if not folders:
        pytest.skip("needs the Debian package postgresql")
    return folders[-1]


@contextmanager
def postgresql_server() -> Iterator[str]:
    """Run a server on a socket in a temporary folder; gives the URL of an empty database.

    As root it runs under the account `postgres`, for it refuses to run as root. Skips the test
    where PostgreSQL is not installed.
    """
    programs = _programs()
    folder = Path(tempfile.mkdtemp(prefix="offhook-pg-"))
    as_account = ["runuser", "-u", ACCOUNT, "--"] if os.geteuid() == 0 else []
    if as_account:
        shutil.chown(folder, ACCOUNT)

    def run(*command: str) -> None:
        subprocess.run(
            [*as_account, programs / command[0], *command[1:]],
            check=True,
            cwd=folder,
            stdout=subprocess.DEVNULL,
            timeout=60,
        )

    data = str(folder / "data")
    options = f"-k {folder} -c listen_addresses='' -c fsync=off -c max_connections=60"
    run("initdb", "-D", data, "-U", ACCOUNT, "-A", "trust", "--no-sync")
    run("pg_ctl", "-D", data, "-o", options, "-l", str(folder / "log"), "-w", "start")
    try:
        yield f"postgresql://{ACCOUNT}@/postgres?host={folder}"
    finally:
        run("pg_ctl", "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)
