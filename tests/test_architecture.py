"""Who may import whom, read from the sources."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("server", "media", "pipeline", "models", "bench")

ALLOWED: dict[str, frozenset[str]] = {
    "media": frozenset(),
    "models": frozenset(),
    "pipeline": frozenset({"media.audio"}),
    "server": frozenset({"media", "pipeline", "models"}),
    "bench": frozenset({"media", "pipeline", "models", "server"}),
}
"""Folder to what it may import of the others: whole folders, or single modules."""

ONLY_APP_KNOWS_ENGINES = frozenset({"server/app.py", "server/cli.py", "server/doctor.py"})
SANS_IO = ("asyncio", "socket", "logging", "time", "threading")
ONLY_IN_THE_CHILD = ("llama_context.py",)
"""Loaded by an engine's process, never by the node."""
MODEL_LIBRARIES = ("ctranslate2", "faster_whisper", "piper", "llama_cpp", "torch", "silero_vad")


def sources(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def imports(path: Path, *, top_level_only: bool = False) -> Iterator[str]:
    """Names of the modules that a source imports."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in tree.body if top_level_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def within(name: str, module: str) -> bool:
    return name == module or name.startswith(f"{module}.")


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_imports_only_what_the_house_allows(folder: str) -> None:
    others = [other for other in FOLDERS if other != folder]
    wrong = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in sources(folder)
        for name in imports(path)
        if any(within(name, other) for other in others)
        and not any(within(name, allowed) for allowed in ALLOWED[folder])
        and not (path == ROOT / "server/cli.py" and within(name, "bench"))
    ]
    assert wrong == []


def test_the_command_line_imports_the_bench_only_when_it_is_asked_for() -> None:
    top = list(imports(ROOT / "server/cli.py", top_level_only=True))
    assert not [name for name in top if within(name, "bench")]


def test_only_the_composition_root_knows_the_engines() -> None:
    knowing = {
        str(path.relative_to(ROOT))
        for path in sources("server")
        for name in imports(path)
        if within(name, "models")
    }
    assert knowing <= ONLY_APP_KNOWS_ENGINES


def test_the_sip_core_has_no_io_and_no_clock() -> None:
    wrong = [
        f"{path.name}: {name}"
        for path in sources("server/sip")
        if path.name != "transport.py"
        for name in imports(path)
        if any(within(name, forbidden) for forbidden in SANS_IO)
    ]
    assert wrong == []


def test_turn_taking_has_no_io() -> None:
    for module in ("turn.py", "cues.py", "playbook.py", "analysis.py"):
        names = list(imports(ROOT / "pipeline" / module))
        assert not [n for n in names if any(within(n, forbidden) for forbidden in SANS_IO)]


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_model_library_is_loaded_by_importing_a_module(folder: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in sources(folder)
        if "train" not in path.parts and path.name not in ONLY_IN_THE_CHILD
        for name in imports(path, top_level_only=True)
        if any(within(name, library) for library in MODEL_LIBRARIES)
    ]
    assert wrong == []


def test_the_top_level_holds_nothing_but_the_house() -> None:
    known = {
        *FOLDERS, "tests", "docs", "deploy", ".ci", ".git", ".gitignore", "pyproject.toml",
        "constraints.txt", "Makefile", "README.md", "LICENSE", "CHANGELOG.md",
    }  # fmt: skip
    made = {line.strip().rstrip("/") for line in (ROOT / ".gitignore").read_text().splitlines()}
    found = {path.name for path in ROOT.iterdir()} - known
    assert {name for name in found if name not in made and not name.endswith(".egg-info")} == set()
