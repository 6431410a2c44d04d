"""Folders and files for the node's own account alone: what is in them was said on the phone."""

from pathlib import Path


def make_folder(path: Path) -> None:
    """Make a folder, and those above it, of mode 0700 where there is none. Raises OSError."""
    for folder in reversed((path, *path.parents)):
        folder.mkdir(mode=0o700, exist_ok=True)


def make_file(path: Path) -> None:
    """Make an empty file of mode 0600 where there is none. Raises OSError."""
    path.touch(mode=0o600)
