"""Which engine a node takes, and where weights come from.

`choose` takes the best that is present and says why; nothing is ever downloaded by itself.
`pull` fetches known weights. Licences are those of the weights.
"""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from models.errors import EngineError, EngineMissing
from models.whisper import BUNDLED

Kind = Literal["recogniser", "voice", "brain"]


@dataclass(frozen=True, slots=True)
class KnownModel:
    """Weights that `offhook models pull` can fetch."""

    name: str
    kind: Kind
    repository: str
    """Of the Hugging Face hub."""
    files: tuple[str, ...]
    """Patterns of the files wanted."""
    licence: str
    size_mb: int
    """About."""


_WHISPER_FILES = ("model.bin", "config.json", "tokenizer.json", "vocabulary.*")
_VOICE_FILES = ("en/en_US/ljspeech/medium/en_US-ljspeech-medium.onnx*",)

KNOWN = (  # of each kind, the one a CPU node does best with first
    KnownModel(
        "whisper-base.en",
        "recogniser",
        "Systran/faster-whisper-base.en",
        _WHISPER_FILES,
        "MIT",
        148,
    ),
    KnownModel(
        "whisper-small.en",
        "recogniser",
        "Systran/faster-whisper-small.en",
        _WHISPER_FILES,
        "MIT",
        486,
    ),
    KnownModel(
        "whisper-base", "recogniser", "Systran/faster-whisper-base", _WHISPER_FILES, "MIT", 148
    ),
    KnownModel(
        "whisper-tiny.en", "recogniser", "Systran/faster-whisper-tiny.en", _WHISPER_FILES, "MIT", 78
    ),
    KnownModel("piper-en", "voice", "rhasspy/piper-voices", _VOICE_FILES, "public domain", 64),
    KnownModel(
        "qwen2.5-1.5b",
        "brain",
        "Qwen/Qwen2.5-1.5B-Instruct-GGUF",
        ("qwen2.5-1.5b-instruct-q4_k_m.gguf",),
        "Apache-2.0",
        1120,
    ),
    KnownModel(
        "qwen2.5-0.5b",
        "brain",
        "Qwen/Qwen2.5-0.5B-Instruct-GGUF",
        ("qwen2.5-0.5b-instruct-q4_k_m.gguf",),
        "Apache-2.0",
        491,
    ),
)


_BUILT_IN = frozenset({("recogniser", "bundled"), ("voice", "espeak"), ("brain", "scripted")})


@dataclass(frozen=True, slots=True)
class Choice:
    """An engine, and the reason for it in one sentence."""

    engine: Literal["whisper", "espeak", "piper", "llama", "scripted"]
    path: Path | None
    """Its weights, or None if it has no file of its own."""
    why: str


def choose(kind: Kind, setting: str, models_dir: Path | None) -> Choice:
    """Decide which engine serves a kind of work.

    setting: "auto", the name of something in `models_dir`, a path, or "bundled" (recogniser),
    "espeak" (voice) or "scripted" (brain). Raises EngineMissing if what was asked for is not
    there.
    """
    if setting == "auto":
        return _best(kind, models_dir)
    if (kind, setting) in _BUILT_IN:
        return _built_in(kind, "as configured")
    places = [Path(setting)] if models_dir is None else [models_dir / setting, Path(setting)]
    for place in places:
        if found := _weights(kind, place):
            return _of_file(kind, found[0], "as configured")
    known = any(model.name == setting for model in KNOWN)
    hint = f"; get it with: offhook models pull {setting}" if known else ""
    where = f" in {models_dir}" if models_dir else ""
    raise EngineMissing(f"no {kind} is called {setting!r}{where}{hint}")


def _best(kind: Kind, models_dir: Path | None) -> Choice:
    if models_dir is None:
        return _built_in(kind, "because no folder of models is configured")
    for known in KNOWN:
        if known.kind == kind and (found := _weights(kind, models_dir / known.name)):
            return _of_file(kind, found[0], "the best known one that is present")
    if found := _weights(kind, models_dir):
        return _of_file(kind, found[0], f"found in {models_dir}")
    return _built_in(kind, f"because {models_dir} holds no other")


def _of_file(kind: Kind, path: Path, reason: str) -> Choice:
    if kind == "recogniser":
        return Choice("whisper", path, f"{path.name}, {reason}")
    if kind == "voice":
        return Choice("piper", path, f"{path.stem}, {reason}")
    return Choice("llama", path, f"{path.stem}, {reason}")


def _built_in(kind: Kind, reason: str) -> Choice:
    if kind == "voice":
        return Choice("espeak", None, f"espeak-ng, {reason}")
    if kind == "brain":
        return Choice("scripted", None, f"the playbook without a language model, {reason}")
    if not (BUNDLED / "model.bin").is_file():
        raise EngineMissing(f"the bundled recogniser is not in {BUNDLED}; reinstall offhook")
    limit = "it understands the simulated callees, not people"
    return Choice("whisper", BUNDLED, f"the bundled recogniser, {reason}; {limit}")


def _weights(kind: Kind, place: Path) -> list[Path]:
    """Weights of a kind at a path or below it: a Whisper folder, a Piper voice, a GGUF file."""
    if kind == "recogniser":
        models = [place / "model.bin", *sorted(place.glob("*/model.bin"))]
        return [
            file.parent
            for file in models
            if (file.parent / "tokenizer.json").is_file() and file.is_file()
        ]
    suffix = ".onnx" if kind == "voice" else ".gguf"
    files = [place] if place.is_file() else sorted(place.rglob(f"*{suffix}"))
    if kind == "voice":
        files = [file for file in files if Path(f"{file}.json").is_file()]
    return [file for file in files if file.suffix == suffix]


def pull(name: str, models_dir: Path, source: Path | None = None) -> Path:
    """Fetch known weights into `models_dir / name` and return that folder.

    source: a local folder to copy from, instead of the hub. The folder appears only when it is
    complete. Raises EngineMissing for an unknown name and EngineError when fetching fails.
    """
    known = next((model for model in KNOWN if model.name == name), None)
    if known is None:
        names = ", ".join(model.name for model in KNOWN)
        raise EngineMissing(f"no known model is called {name!r}; there are: {names}")
    target = models_dir / name
    if _weights(known.kind, target):
        return target
    models_dir.mkdir(parents=True, exist_ok=True)
    new = Path(tempfile.mkdtemp(dir=models_dir, prefix=".pull-"))
    try:
        if source is not None:
            shutil.copytree(source, new, dirs_exist_ok=True)
        else:
            _download(known, new)
        if not _weights(known.kind, new):
            raise EngineError(f"{source or known.repository} holds no weights of {name}")
        shutil.rmtree(new / ".cache", ignore_errors=True)
        shutil.rmtree(target, ignore_errors=True)
        new.rename(target)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return target


def _download(known: KnownModel, folder: Path) -> None:
    from huggingface_hub import snapshot_download  # slow to import, needed only here

    try:
        snapshot_download(known.repository, allow_patterns=list(known.files), local_dir=folder)
    except Exception as error:  # the hub's, the HTTP client's and the file system's own types
        raise EngineError(f"{known.repository} could not be fetched: {error}") from error
