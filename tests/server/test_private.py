"""Folders and files of the node's own account."""

import stat
from pathlib import Path

from server.private import make_file, make_folder


def mode(path: Path) -> str:
    return stat.filemode(path.stat().st_mode)


def test_new_folders_and_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    make_folder(tmp_path / "data" / "recordings")
    make_file(tmp_path / "data" / "file")
    assert mode(tmp_path / "data") == mode(tmp_path / "data" / "recordings") == "drwx------"
    assert mode(tmp_path / "data" / "file") == "-rw-------"


def test_what_is_there_stays_as_it_is(tmp_path: Path) -> None:
    shared = tmp_path / "data"
    shared.mkdir()
    shared.chmod(0o755)
    (shared / "file").write_text("kept")
    make_folder(shared)
    make_file(shared / "file")
    assert mode(shared) == "drwxr-xr-x"
    assert (shared / "file").read_text() == "kept"
