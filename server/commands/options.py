"""Options that commands share, and how each of them ends.

| status | meaning |
| --- | --- |
| 0 | done |
| 1 | it failed, or was refused: the node's answer, the call or the check says why |
| 2 | nothing could be tried: arguments, configuration or a file cannot be used |
| 3 | no node answers |
"""

from pathlib import Path
from typing import Annotated

import typer

from server.errors import NodeUnreachable, ServerError, SettingsInvalid
from server.settings import Settings, load_settings

FAILED = 1
UNUSABLE = 2
UNREACHABLE = 3

ConfigOption = Annotated[
    Path | None, typer.Option("--config", envvar="OFFHOOK_CONFIG", help="offhook.toml")
]
UrlOption = Annotated[str, typer.Option("--url", envvar="OFFHOOK_URL", help="The node.")]
KeyOption = Annotated[str, typer.Option("--key", envvar="OFFHOOK_KEY", help="API key.")]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON, for programs.")]
LimitOption = Annotated[int, typer.Option("--limit", min=1, help="How many at most.")]
LOCAL = "http://127.0.0.1:8080"


def settings_of(config: Path | None) -> Settings:
    """The configuration, or the end of the command."""
    try:
        return load_settings(config)
    except SettingsInvalid as error:
        raise fail(str(error)) from error


def ended_by(error: ServerError) -> typer.Exit:
    """The end of a command that asked a node."""
    return fail(str(error), UNREACHABLE if isinstance(error, NodeUnreachable) else FAILED)


def fail(message: str, status: int = UNUSABLE) -> typer.Exit:
    """Say on standard error what went wrong; returns the end of the command."""
    from rich.console import Console
    from rich.text import Text

    Console(stderr=True, highlight=False, soft_wrap=True).print(Text(f"offhook: {message}", "red"))
    return typer.Exit(status)


def read_file(path: Path) -> str:
    """The text of a file, `-` for standard input, or the end of the command."""
    import sys

    try:
        return sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise fail(f"{path}: {error}") from error
