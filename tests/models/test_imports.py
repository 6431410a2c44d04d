"""What the node's process is spared."""

import subprocess
import sys
from pathlib import Path

HEAVY = {"ctranslate2", "faster_whisper", "huggingface_hub", "llama_cpp", "piper", "torch"}
CODE = """
import models.catalogue, models.espeak, models.llama, models.piper, models.silero, models.whisper
import sys
print(*sys.modules)
"""


def test_the_nodes_side_imports_no_model_library() -> None:
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", CODE], cwd=root, capture_output=True, text=True, check=True
    )
    assert not HEAVY & set(done.stdout.split())
