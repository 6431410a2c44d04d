"""What a Whisper-shaped recogniser hears: telephone PCM as a 16 kHz log-mel spectrogram.

Stands after the G.711 decoder and before `ctranslate2.models.Whisper.generate`. Training
and run time both call this module, so the model never meets features it was not trained on.
`log_mel` equals `faster_whisper.feature_extractor.FeatureExtractor()` with its defaults
(80 Slaney mel bands, 25 ms Hann window, 10 ms hop, one hop of zeros appended).
"""

from functools import cache

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
Int16 = npt.NDArray[np.int16]

SAMPLE_RATE_HZ = 16_000
HOP_SAMPLES = 160
WINDOW_SAMPLES = 400
MEL_BANDS = 80
FULL_WINDOW_FRAMES = 3_000  # 30 s, the window Whisper was published with

_HALF_TAPS = 16
_KAISER_BETA = 7.86  # 80 dB: J. F. Kaiser, "Nonrecursive digital filter design", 1974


@cache
def _interpolator() -> Float32:
    """One side of the odd phase of a 63-tap half-band low-pass, nearest tap first."""
    distance = np.arange(_HALF_TAPS) + 0.5
    window = np.i0(_KAISER_BETA * np.sqrt(1 - (distance / _HALF_TAPS) ** 2))
    taps = np.sinc(distance) * window / np.i0(_KAISER_BETA)
    taps *= 0.5 / taps.sum()
    side: Float32 = taps.astype(np.float32)
    return side


def upsample_8k_to_16k(pcm: Int16 | Float32) -> Float32:
    """Double the rate of one whole segment; no delay, the original samples are kept.

    pcm: shape (n,), 8 kHz, int16 or float32 in -1..1. Returns shape (2 n,), 16 kHz,
    float32 in about -1..1. Silence is assumed on both sides. Images of 0-3.4 kHz are 80 dB
    down. An output more than 16 input samples away from an edge depends on no edge: cutting a
    longer signal with that margin gives bit-identical samples.
    """
    signal = pcm.astype(np.float32)
    if pcm.dtype == np.int16:
        signal *= np.float32(1 / 32768)
    n = len(signal)
    padded = np.pad(signal, _HALF_TAPS)
    between = np.zeros(n, np.float32)
    for k, tap in enumerate(_interpolator()):
        left, right = _HALF_TAPS - k, _HALF_TAPS + 1 + k
        between += tap * (padded[left : left + n] + padded[right : right + n])
    doubled = np.empty(2 * n, np.float32)
    doubled[0::2] = signal
    doubled[1::2] = between
    return doubled


@cache
def _mel_filters() -> Float32:
    """Slaney's mel filter bank (Auditory Toolbox, 1998), shape (80, 201), unit area."""
    top_mel = 45.245640471924965  # 8 kHz
    mels = np.linspace(0.0, top_mel, MEL_BANDS + 2)
    log_step = np.log(6.4) / 27.0
    edges_hz = np.where(mels < 15.0, mels * 200.0 / 3, 1000.0 * np.exp(log_step * (mels - 15.0)))
    bins_hz = np.fft.rfftfreq(WINDOW_SAMPLES, 1 / SAMPLE_RATE_HZ)
    width = np.diff(edges_hz)[:, None]
    ramps = edges_hz[:, None] - bins_hz[None, :]
    weights = np.maximum(0.0, np.minimum(-ramps[:-2] / width[:-1], ramps[2:] / width[1:]))
    weights *= (2.0 / (edges_hz[2:] - edges_hz[:-2]))[:, None]
    filters: Float32 = weights.astype(np.float32)
    return filters


@cache
def _hann() -> Float32:
    return np.hanning(WINDOW_SAMPLES + 1)[:-1].astype(np.float32)


def log_mel(audio: Float32) -> Float32:
    """Whisper's log-mel spectrogram of a 16 kHz segment, not padded to 30 s.

    audio: shape (n,), float32 in -1..1, n at least 200 (12.5 ms). Returns shape
    (80, n // 160 + 1), float32, at most 80 dB deep below its own maximum, as in
    Radford et al., "Robust speech recognition via large-scale weak supervision", 2022.
    """
    half = WINDOW_SAMPLES // 2
    padded = np.pad(np.pad(audio, (0, HOP_SAMPLES)), half, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW_SAMPLES)[::HOP_SAMPLES]
    spectrum = np.fft.rfft(frames[:-1] * _hann(), axis=-1)
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    mel = _mel_filters() @ power.astype(np.float32).T
    log_spectrum = np.log10(np.maximum(mel, np.float32(1e-10)))
    log_spectrum = np.maximum(log_spectrum, log_spectrum.max() - np.float32(8.0))
    scaled: Float32 = ((log_spectrum + 4.0) / 4.0).astype(np.float32)
    return scaled


def phone_features(pcm: Int16) -> Float32:
    """Features of one 8 kHz telephone segment, ready for `generate`: shape (1, 80, frames)."""
    return np.ascontiguousarray(log_mel(upsample_8k_to_16k(pcm))[None])
