"""Makes tiny model files in the formats of the real ones."""

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import onnx
from ctranslate2.specs import WhisperSpec
from ctranslate2.specs.attention_spec import MultiHeadAttentionSpec
from onnx import TensorProto, helper

from models.train import tokens

SAMPLES_PER_ID = 320
"""Of the Piper voice, at 16 kHz: 20 ms."""
HUM_HZ = 250


def whisper(folder: Path, *, width: int = 16, seed: int = 3) -> Path:
    """Write a Whisper with one layer and random weights; it recognises nonsense."""
    random = np.random.default_rng(seed)

    def weights(*shape: int) -> np.ndarray[Any, np.dtype[np.float32]]:
        return random.normal(0, 0.3, shape).astype(np.float32)

    def fill(norm: Any, *linears: tuple[Any, int, int]) -> None:
        norm.gamma, norm.beta = np.ones(width, np.float32), np.zeros(width, np.float32)
        for linear, rows, columns in linears:
            linear.weight, linear.bias = weights(rows, columns), weights(rows)

    def fill_attention(target: MultiHeadAttentionSpec, *rows: int) -> None:
        shapes = zip(target.linear, rows, strict=True)
        fill(target.layer_norm, *((linear, row, width) for linear, row in shapes))

    vocabulary = tokens.vocabulary()
    spec = WhisperSpec(1, 2, 1, 2)
    for conv, channels in ((spec.encoder.conv1, 80), (spec.encoder.conv2, width)):
        conv.weight, conv.bias = weights(width, channels, 3), weights(width)
    spec.encoder.position_encodings.encodings = weights(1500, width)
    spec.decoder.position_encodings.encodings = weights(448, width)
    spec.decoder.embeddings.weight = weights(len(vocabulary), width)
    spec.decoder.projection.weight = weights(len(vocabulary), width)
    spec.decoder.projection.bias = weights(len(vocabulary))
    fill(spec.encoder.layer_norm)
    fill(spec.decoder.layer_norm)
    for layer in (spec.encoder.layer[0], spec.decoder.layer[0]):
        fill_attention(layer.self_attention, 3 * width, width)
        fill(
            layer.ffn.layer_norm,
            (layer.ffn.linear_0, 4 * width, width),
            (layer.ffn.linear_1, width, 4 * width),
        )
    fill_attention(spec.decoder.layer[0].attention, width, 2 * width, width)
    spec.register_vocabulary(vocabulary)
    spec.config.suppress_ids = list(range(vocabulary.index("<|startoftranscript|>"), 1769))
    spec.config.suppress_ids_begin = []
    spec.config.lang_ids = [vocabulary.index("<|en|>")]
    spec.config.alignment_heads = [(0, 0)]
    spec.validate()
    spec.optimize("int8")
    folder.mkdir(exist_ok=True)
    spec.save(str(folder))
    (folder / "tokenizer.json").write_text(tokens.tokenizer_json())
    return folder


def gguf_model(
    path: Path,
    *,
    width: int = 32,
    seed: int = 5,
    template: str | None = None,
    chain: Sequence[str] = (),
) -> Path:
    """Write a one-layer llama with a byte-level vocabulary and random weights.

    chain: tokens (space is Ġ) that follow each other, the first one a colon; behind the last
    one chance rules again. Such a model looks at nothing but the token before.
    """
    random = np.random.default_rng(seed)
    width = 128 if chain else width
    alphabet = tokens.vocabulary()[:256]
    added = [token for token in chain if token not in alphabet]
    vocabulary = [*alphabet, "Ġt", "he", *added, "<|end|>"]
    end = len(vocabulary) - 1
    kinds = [gguf.TokenType.NORMAL] * end + [gguf.TokenType.CONTROL]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(2048)
    writer.add_embedding_length(width)
    writer.add_block_count(1)
    writer.add_feed_forward_length(2 * width)
    writer.add_head_count(2)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(width // 2)
    writer.add_vocab_size(len(vocabulary))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(vocabulary)
    writer.add_token_types(kinds)
    writer.add_token_merges(["Ġ t", "h e"])
    writer.add_eos_token_id(end)
    writer.add_bos_token_id(end)
    writer.add_add_bos_token(False)
    if template is not None:
        writer.add_chat_template(template)

    def add(name: str, *shape: int) -> None:
        writer.add_tensor(name, random.normal(0, 0.2, shape).astype(np.float32))

    embedding = random.normal(0, 0.2, (len(vocabulary), width)).astype(np.float32)
    output = random.normal(0, 0.2, (len(vocabulary), width)).astype(np.float32)
    links = [vocabulary.index(token) for token in (":", *chain)]
    for before, after in pairwise(links):
        output[after] += 20 * embedding[before]
    writer.add_tensor("token_embd.weight", embedding)
    writer.add_tensor("output.weight", output)
    for name in ("attn_q", "attn_k", "attn_v"):
        add(f"blk.0.{name}.weight", width, width)
    add("blk.0.ffn_gate.weight", 2 * width, width)
    add("blk.0.ffn_up.weight", 2 * width, width)
    for name, shape in (("attn_output", (width, width)), ("ffn_down", (width, 2 * width))):
        if chain:
            writer.add_tensor(f"blk.0.{name}.weight", np.zeros(shape, np.float32))
        else:
            add(f"blk.0.{name}.weight", *shape)
    for name in ("blk.0.attn_norm", "blk.0.ffn_norm", "output_norm"):
        writer.add_tensor(f"{name}.weight", np.ones(width, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def piper_voice(path: Path, *, aligned: bool = False, speakers: Sequence[str] = ()) -> Path:
    """Write a voice of 16 kHz that hums at 250 Hz, 20 ms for each phoneme id at length scale 1.

    aligned: also give samples for each id, as patched voices do. speakers: their names; the
    second one hums twice as high.
    """
    step = 2 * np.pi * HUM_HZ / 16000
    constants: dict[str, np.ndarray[Any, np.dtype[Any]]] = {
        "per_id": np.array(SAMPLES_PER_ID, np.float32),
        "zero": np.array(0, np.int64),
        "one": np.array(1, np.int64),
        "first": np.array([0], np.int64),
        "step": np.array(step, np.float32),
        "loudness": np.array(0.25, np.float32),
        "axes": np.array([0, 1], np.int64),
    }
    nodes = [
        helper.make_node("Gather", ["input_lengths", "zero"], ["length"]),
        helper.make_node("Cast", ["length"], ["ids_float"], to=TensorProto.FLOAT),
        helper.make_node("Gather", ["scales", "one"], ["length_scale"]),
        helper.make_node("Mul", ["ids_float", "per_id"], ["at_scale_1"]),
        helper.make_node("Mul", ["at_scale_1", "length_scale"], ["samples_float"]),
        helper.make_node("Cast", ["samples_float"], ["samples"], to=TensorProto.INT64),
        helper.make_node("Range", ["zero", "samples", "one"], ["n"]),
        helper.make_node("Cast", ["n"], ["n_float"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["n_float", "pitch"], ["phase"]),
        helper.make_node("Sin", ["phase"], ["sine"]),
        helper.make_node("Mul", ["sine", "loudness"], ["quiet"]),
        helper.make_node("Unsqueeze", ["quiet", "axes"], ["output"]),
    ]
    outputs = [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 1, None])]
    if aligned:
        nodes.append(helper.make_node("Cast", ["input"], ["ids"], to=TensorProto.FLOAT))
        nodes.append(helper.make_node("Mul", ["ids", "nothing"], ["zeros"]))
        nodes.append(helper.make_node("Add", ["zeros", "one_hop"], ["durations"]))
        constants["nothing"] = np.array(0.0, np.float32)
        constants["one_hop"] = np.array(1.0, np.float32)
        outputs.append(helper.make_tensor_value_info("durations", TensorProto.FLOAT, [1, None]))
    inputs = [
        helper.make_tensor_value_info("input", TensorProto.INT64, [1, None]),
        helper.make_tensor_value_info("input_lengths", TensorProto.INT64, [1]),
        helper.make_tensor_value_info("scales", TensorProto.FLOAT, [3]),
    ]
    if speakers:
        constants["steps"] = np.array([step, 2 * step], np.float32)
        nodes.insert(0, helper.make_node("Gather", ["steps", "sid"], ["pitch"]))
        inputs.append(helper.make_tensor_value_info("sid", TensorProto.INT64, [1]))
    else:
        nodes.insert(0, helper.make_node("Identity", ["step"], ["pitch"]))
    graph = helper.make_graph(
        nodes,
        "hum",
        inputs,
        outputs,
        [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.save(model, path)
    symbols = ["_", "^", "$", " ", *"abcdefghijklmnopqrstuvwxyzæðŋɐɑɔəɚɛɜɡɪɹɾʃʊʌʒʔˈˌːθ,.?!ᵻ̩"]
    config = {
        "audio": {"sample_rate": 16000},
        "espeak": {"voice": "en-us"},
        "num_symbols": len(symbols),
        "num_speakers": max(1, len(speakers)),
        "speaker_id_map": {name: number for number, name in enumerate(speakers)},
        "hop_length": SAMPLES_PER_ID,
        "phoneme_id_map": {symbol: [i] for i, symbol in enumerate(symbols)},
    }
    Path(f"{path}.json").write_text(json.dumps(config), "utf-8")
    return path
