"""What `auto` takes, and fetching weights."""

from pathlib import Path

import pytest

from models import catalogue
from models.catalogue import choose, pull
from models.errors import EngineError, EngineMissing


def put(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


@pytest.fixture
def bundled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that passes for the bundled recogniser."""
    folder = tmp_path / "bundled"
    put(folder / "model.bin")
    monkeypatch.setattr(catalogue, "BUNDLED", folder)
    return folder


def test_an_empty_folder_gives_what_is_built_in(tmp_path: Path, bundled: Path) -> None:
    for models_dir in (tmp_path / "none", None):
        assert choose("recogniser", "auto", models_dir).path == bundled
        assert choose("voice", "auto", models_dir).engine == "espeak"
        brain = choose("brain", "auto", models_dir)
        assert brain.engine == "scripted"
        assert "because" in brain.why


def test_auto_takes_the_best_known_model(tmp_path: Path) -> None:
    for name in ("whisper-tiny.en", "whisper-base.en"):
        put(tmp_path / name / "model.bin")
        put(tmp_path / name / "tokenizer.json")
    choice = choose("recogniser", "auto", tmp_path)
    assert choice.path == tmp_path / "whisper-base.en"
    assert "best known" in choice.why


def test_auto_takes_unknown_models_of_the_right_form(tmp_path: Path) -> None:
    put(tmp_path / "deep" / "anna.onnx")
    assert choose("voice", "auto", tmp_path).engine == "espeak"
    put(tmp_path / "deep" / "anna.onnx.json")
    assert choose("voice", "auto", tmp_path).path == tmp_path / "deep" / "anna.onnx"
    gguf = put(tmp_path / "mine.gguf")
    assert choose("brain", "auto", tmp_path).path == gguf


def test_a_setting_is_a_name_or_a_path(tmp_path: Path) -> None:
    gguf = put(tmp_path / "mine.gguf")
    assert choose("brain", "mine.gguf", tmp_path).path == gguf
    assert choose("brain", str(gguf), None).path == gguf


def test_built_in_engines_can_be_named(bundled: Path) -> None:
    assert choose("recogniser", "bundled", None).path == bundled
    assert choose("voice", "espeak", None).engine == "espeak"
    assert choose("brain", "scripted", None).engine == "scripted"


def test_what_is_not_there_is_an_error_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(EngineMissing, match="offhook models pull whisper-base"):
        choose("recogniser", "whisper-base", tmp_path)
    with pytest.raises(EngineMissing, match="no voice is called 'x'"):
        choose("voice", "x", tmp_path)


def test_a_missing_bundled_model_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue, "BUNDLED", tmp_path)
    with pytest.raises(EngineMissing, match="reinstall"):
        choose("recogniser", "auto", None)


def test_pulling_from_a_folder_copies_it_whole(tmp_path: Path) -> None:
    source = put(tmp_path / "source" / "model.bin").parent
    put(source / "tokenizer.json")
    models_dir = tmp_path / "models"
    target = pull("whisper-tiny.en", models_dir, source)
    assert choose("recogniser", "auto", models_dir).path == target
    assert pull("whisper-tiny.en", models_dir, tmp_path / "gone") == target
    assert [path.name for path in models_dir.iterdir()] == ["whisper-tiny.en"]


def test_a_pull_that_fails_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    with pytest.raises(EngineError, match="no weights"):
        pull("piper-en", tmp_path / "models", tmp_path / "source")
    assert list((tmp_path / "models").iterdir()) == []


def test_a_hub_out_of_reach_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise OSError("network is unreachable")

    monkeypatch.setattr("huggingface_hub.snapshot_download", unreachable)
    with pytest.raises(EngineError, match="could not be fetched: network is unreachable"):
        pull("piper-en", tmp_path)


def test_an_unknown_name_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(EngineMissing, match=r"whisper-base\.en"):
        pull("no-such-model", tmp_path)
