"""The recogniser's tokens: single characters inside a Whisper-style English vocabulary.

The network is trained on the 32 tokens that can occur; the exported model has the whole
vocabulary that faster-whisper expects: the byte-level alphabet, three merges, the special
tokens of Whisper and 1,501 timestamps.
"""

import json

CHARACTERS = " 'abcdefghijklmnopqrstuvwxyz"
END, NO_TIMESTAMPS, NO_SPEECH = 0, 1, 2
FIRST_CHARACTER = 3
OUTPUTS = FIRST_CHARACTER + len(CHARACTERS)
START = OUTPUTS  # an input only
TRAINED = OUTPUTS + 1

_CODE = {character: FIRST_CHARACTER + i for i, character in enumerate(CHARACTERS)}

# faster-whisper bans the first token of " -" and of " ♪"; without these merges that token
# would be the space itself (faster_whisper.tokenizer.Tokenizer.non_speech_tokens).
_MERGES = (("Ġ", "-"), ("Ġ", "'"), ("Ġ", "â"))

_SPECIAL = (
    "<|endoftext|>",
    "<|startoftranscript|>",
    "<|en|>",
    "<|translate|>",
    "<|transcribe|>",
    "<|startoflm|>",
    "<|startofprev|>",
    "<|nospeech|>",
    "<|notimestamps|>",
)


def encode(written: str) -> list[int]:
    """Return the trained codes of a transcript; like Whisper's it begins with a space."""
    return [_CODE[character] for character in f" {written}"] if written else []


def _byte_alphabet() -> list[str]:
    """The 256 characters by which byte-level BPE writes bytes (GPT-2), in byte order."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = iter(range(256, 512))
    return [chr(byte) if byte in plain else chr(next(others)) for byte in range(256)]


def vocabulary() -> list[str]:
    """Return every token of the exported model in the order of its ids."""
    timestamps = [f"<|{i * 0.02:.2f}|>" for i in range(1501)]
    return [*_byte_alphabet(), *(a + b for a, b in _MERGES), *_SPECIAL, *timestamps]


def exported_ids() -> list[int]:
    """Return the exported id of each trained code."""
    ids = {token: i for i, token in enumerate(vocabulary())}
    characters = [ids["Ġ" if c == " " else c] for c in CHARACTERS]
    specials = [ids[t] for t in ("<|endoftext|>", "<|notimestamps|>", "<|nospeech|>")]
    return [*specials, *characters, ids["<|startoftranscript|>"]]


def tokenizer_json() -> str:
    """Return the `tokenizer.json` of the Hugging Face tokenizers library."""
    tokens = vocabulary()
    words = 256 + len(_MERGES)
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    return json.dumps(
        {
            "version": "1.0",
            "added_tokens": [
                {"id": i, "content": token, "special": i < words + len(_SPECIAL)} | flags
                for i, token in enumerate(tokens)
                if i >= words
            ],
            "pre_tokenizer": byte_level | {"use_regex": False},
            "decoder": byte_level | {"use_regex": True},
            "model": {
                "type": "BPE",
                "vocab": {token: i for i, token in enumerate(tokens[:words])},
                "merges": [list(merge) for merge in _MERGES],
            },
        },
        ensure_ascii=False,
    )
