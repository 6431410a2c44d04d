"""A llama.cpp context with several sequences in one key-value pool, through its C interface.

Stands below `models.llama`. `llama_cpp.Llama` knows a single sequence; here each conversation
has its own, and equal beginnings share their cells (`kv_unified`, `llama_memory_seq_cp`).
"""

import ctypes
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import llama_cpp

from models.errors import EngineBusy, EngineCorrupt, EngineError

_TOP_K = 40
_MIN_P = 0.05
_NO_SLOT = 1  # llama_decode: the pool is full


def _ignore(_level: int, _text: bytes, _user_data: object) -> None:
    """llama.cpp writes pages to stderr; errors come back as return values."""


_QUIET = llama_cpp.llama_log_callback(_ignore)


class LlamaContext:
    """One model and its pool. Not thread-safe.

    context_tokens: cells in the pool, shared by all sequences. batch_tokens: the most tokens
    that one `decode` takes. Raises EngineCorrupt if the file does not load.
    """

    def __init__(
        self, path: Path, *, context_tokens: int, sequences: int, batch_tokens: int
    ) -> None:
        llama_cpp.llama_log_set(_QUIET, ctypes.c_void_p(0))
        llama_cpp.llama_backend_init()
        model_params = llama_cpp.llama_model_default_params()
        model_params.n_gpu_layers = 0
        self._model = llama_cpp.llama_model_load_from_file(str(path).encode(), model_params)
        if not self._model:
            raise EngineCorrupt(f"{path} is not a model that llama.cpp can load")
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = context_tokens
        params.n_seq_max = sequences
        params.n_batch = params.n_ubatch = batch_tokens
        params.n_threads = params.n_threads_batch = 1
        params.kv_unified = True
        params.swa_full = True  # so that a sequence can be cut anywhere
        self._context = llama_cpp.llama_init_from_model(self._model, params)
        if not self._context:
            raise EngineCorrupt(f"{path}: llama.cpp cannot make {context_tokens} tokens of context")
        self._memory = llama_cpp.llama_get_memory(self._context)
        self._vocabulary = llama_cpp.llama_model_get_vocab(self._model)
        self._batch = llama_cpp.llama_batch_init(batch_tokens, 0, 1)
        self._piece = ctypes.create_string_buffer(512)
        self.batch_tokens = batch_tokens
        self.can_share = not (
            llama_cpp.llama_model_is_recurrent(self._model)
            or llama_cpp.llama_model_is_hybrid(self._model)
        )

    def chat_template(self) -> str | None:
        """The Jinja template in the file, if there is one."""
        template: bytes | None = llama_cpp.llama_model_chat_template(self._model, None)
        return template.decode() if template else None

    def tokens(self, text: str, *, plain: bool = False) -> list[int]:
        """Tokenize text that may hold special tokens, with the model's own beginning.

        plain: nothing in it is special, and it stands in the middle.
        """
        raw = text.encode()
        room = len(raw) + 8
        found = (llama_cpp.llama_token * room)()
        whole = not plain
        count = llama_cpp.llama_tokenize(self._vocabulary, raw, len(raw), found, room, whole, whole)
        return list(found[: max(0, count)])

    def piece(self, token: int) -> bytes:
        """The bytes of one token; may end inside a character. Special tokens are empty."""
        size = len(self._piece)
        count = llama_cpp.llama_token_to_piece(self._vocabulary, token, self._piece, size, 0, False)
        return self._piece.raw[: max(0, count)]

    def is_end(self, token: int) -> bool:
        """Say whether the token ends a generation."""
        return bool(llama_cpp.llama_vocab_is_eog(self._vocabulary, token))

    def decode(self, sequence: int, tokens: Sequence[int], position: int) -> None:
        """Evaluate at most `batch_tokens` tokens; the last one's logits are ready to sample."""
        batch = self._batch
        batch.n_tokens = len(tokens)
        for i, token in enumerate(tokens):
            batch.token[i] = token
            batch.pos[i] = position + i
            batch.n_seq_id[i] = 1
            batch.seq_id[i][0] = sequence
            batch.logits[i] = i == len(tokens) - 1
        status = llama_cpp.llama_decode(self._context, batch)
        if status == _NO_SLOT:
            raise EngineBusy("the language model's context is full")
        if status != 0:
            raise EngineError(f"llama.cpp could not evaluate a batch ({status})")

    def cut(self, sequence: int, position: int) -> int:
        """Drop a sequence's cells from a position on. Returns what is kept: it, or 0.

        Recurrent models cannot be cut in the middle; they lose the whole sequence.
        """
        if llama_cpp.llama_memory_seq_rm(self._memory, sequence, position, -1):
            return position
        llama_cpp.llama_memory_seq_rm(self._memory, sequence, -1, -1)
        return 0

    def share(self, source: int, target: int, length: int) -> None:
        """Let an empty sequence begin with the first cells of another, without a copy."""
        llama_cpp.llama_memory_seq_cp(self._memory, source, target, 0, length)

    def sampler(self, grammar: str | None, temperature: float) -> "Sampler":
        """Make a sampler for one reply. grammar: GBNF with a rule `root`."""
        return Sampler(self._context, self._vocabulary, grammar, temperature)


class Sampler:
    """Chooses the next tokens of one reply; `close` frees it."""

    def __init__(
        self, context: Any, vocabulary: Any, grammar: str | None, temperature: float
    ) -> None:
        self._context = context
        params = llama_cpp.llama_sampler_chain_default_params()
        self._chain = llama_cpp.llama_sampler_chain_init(params)
        if grammar is not None:
            rules = llama_cpp.llama_sampler_init_grammar(vocabulary, grammar.encode(), b"root")
            if not rules:
                self.close()
                raise EngineError("the grammar is not valid GBNF with a rule `root`")
            self._add(rules)
        if temperature <= 0:
            self._add(llama_cpp.llama_sampler_init_greedy())
            return
        self._add(llama_cpp.llama_sampler_init_top_k(_TOP_K))
        self._add(llama_cpp.llama_sampler_init_min_p(_MIN_P, 1))
        self._add(llama_cpp.llama_sampler_init_temp(temperature))
        self._add(llama_cpp.llama_sampler_init_dist(llama_cpp.LLAMA_DEFAULT_SEED))

    def _add(self, sampler: Any) -> None:
        llama_cpp.llama_sampler_chain_add(self._chain, sampler)

    def sample(self) -> int:
        """Choose a token from the logits of the last `decode`."""
        return int(llama_cpp.llama_sampler_sample(self._chain, self._context, -1))

    def close(self) -> None:
        """Free the sampler; safe to call twice."""
        if self._chain:
            llama_cpp.llama_sampler_free(self._chain)
            self._chain = None
