"""Export a checkpoint as a CTranslate2 Whisper model that faster-whisper loads.

`python -m models.train.export CHECKPOINT FOLDER`. The layout of the weights is that of
`ctranslate2.converters.transformers.WhisperLoader`.
"""

import argparse
import itertools
import json
import tempfile
from pathlib import Path
from random import Random

import torch
from ctranslate2.specs import WhisperSpec, attention_spec, common_spec
from torch import Tensor, nn

from models.features import HOP_SAMPLES, MEL_BANDS, SAMPLE_RATE_HZ, WINDOW_SAMPLES
from models.train import tokens
from models.train.network import Attention, Layer, Size, Whisper
from models.train.sentences import SentenceSource
from models.whisper import LEXICON

_DRAWS = 60_000  # sentences whose words the lexicon lists
_NEVER = -100.0  # output bias of tokens that training never saw


def load_average(checkpoint: Path) -> Whisper:
    """Return the network with the weights averaged over the last steps."""
    state = torch.load(checkpoint, weights_only=True)
    network = Whisper(Size(**state["size"]))
    network.load_state_dict(state["average"])
    return network.eval()


def whisper_spec(network: Whisper) -> WhisperSpec:
    """Return the network as a CTranslate2 specification, in float32."""
    size = network.size
    spec = WhisperSpec(size.encoder_layers, size.heads, size.decoder_layers, size.heads)
    for target, conv in ((spec.encoder.conv1, network.conv1), (spec.encoder.conv2, network.conv2)):
        target.weight, target.bias = _array(conv.weight), _array(conv.bias)
    spec.encoder.position_encodings.encodings = _array(network.positions)
    _fill_norm(spec.encoder.layer_norm, network.encoder_norm)
    _fill_layers(spec.encoder.layer, network.encoder)

    embedding = torch.zeros(len(tokens.vocabulary()), size.width)
    ids = tokens.exported_ids()
    embedding[ids] = network.embedding.weight.detach()
    bias = torch.full((len(embedding),), _NEVER)
    bias[ids[: tokens.OUTPUTS]] = 0.0
    spec.decoder.embeddings.weight = embedding.numpy()
    spec.decoder.projection.weight = embedding.numpy()
    spec.decoder.projection.bias = bias.numpy()
    spec.decoder.position_encodings.encodings = _array(network.token_positions)
    _fill_norm(spec.decoder.layer_norm, network.decoder_norm)
    _fill_layers(spec.decoder.layer, network.decoder)

    vocabulary = tokens.vocabulary()
    spec.register_vocabulary(vocabulary)
    spec.config.suppress_ids = []
    spec.config.suppress_ids_begin = []  # silence may end at once
    spec.config.lang_ids = [vocabulary.index("<|en|>")]
    upper = range(size.decoder_layers // 2, size.decoder_layers)
    spec.config.alignment_heads = list(itertools.product(upper, range(size.heads)))
    return spec


def _array(tensor: Tensor) -> object:
    return tensor.detach().float().contiguous().numpy()


def _fill_norm(target: common_spec.LayerNormSpec, norm: nn.LayerNorm) -> None:
    target.gamma, target.beta = _array(norm.weight), _array(norm.bias)


def _fill_linear(target: common_spec.LinearSpec, *parts: nn.Linear) -> None:
    target.weight = _array(torch.cat([part.weight for part in parts]))
    target.bias = _array(torch.cat([part.bias for part in parts]))


def _fill_attention(
    target: attention_spec.MultiHeadAttentionSpec, attention: Attention, norm: nn.LayerNorm
) -> None:
    _fill_norm(target.layer_norm, norm)
    if len(target.linear) == 2:  # self-attention
        _fill_linear(target.linear[0], attention.query, attention.key_value)
    else:
        _fill_linear(target.linear[0], attention.query)
        _fill_linear(target.linear[1], attention.key_value)
    _fill_linear(target.linear[-1], attention.out)


def _fill_layers(targets: list[object], layers: nn.ModuleList) -> None:
    for target, layer in zip(targets, layers, strict=True):
        assert isinstance(layer, Layer)
        _fill_attention(target.self_attention, layer.attention, layer.attention_norm)
        if layer.cross is not None and layer.cross_norm is not None:
            _fill_attention(target.attention, layer.cross, layer.cross_norm)
        _fill_norm(target.ffn.layer_norm, layer.mlp_norm)
        _fill_linear(target.ffn.linear_0, layer.mlp_in)
        _fill_linear(target.ffn.linear_1, layer.mlp_out)


def export(checkpoint: Path, folder: Path, quantization: str = "int8") -> None:
    """Write the model's files to `folder`, each replaced at once."""
    spec = whisper_spec(load_average(checkpoint))
    spec.validate()
    spec.optimize(quantization)
    folder.mkdir(parents=True, exist_ok=True)
    preprocessor = {
        "feature_size": MEL_BANDS,
        "sampling_rate": SAMPLE_RATE_HZ,
        "hop_length": HOP_SAMPLES,
        "chunk_length": 30,
        "n_fft": WINDOW_SAMPLES,
    }
    with tempfile.TemporaryDirectory(dir=folder, prefix=".new-") as new:
        spec.save(new)
        (Path(new) / "tokenizer.json").write_text(tokens.tokenizer_json())
        (Path(new) / "preprocessor_config.json").write_text(json.dumps(preprocessor, indent=2))
        words = SentenceSource(Random(0)).words_in(_DRAWS)
        (Path(new) / LEXICON).write_text("\n".join(words) + "\n")
        for path in Path(new).iterdir():
            path.replace(folder / path.name)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--quantization", default="int8")
    arguments = parser.parse_args()
    export(arguments.checkpoint, arguments.folder, arguments.quantization)
