"""A telephone line: what happens to speech between a mouth and the far end's decoder.

Band-pass, level, noise, G.711 coding and lost frames, all at 8 kHz. Every draw of a line is
different, so one synthesised sentence can be heard over several.
"""

from random import Random

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]
Int16 = npt.NDArray[np.int16]

LINE_RATE_HZ = 8_000
_FRAME_SAMPLES = 160  # 20 ms, one RTP packet


def _mu_law_steps() -> Int16:
    """Decoded value of each 16-bit sample after one μ-law round trip (ITU-T G.711)."""
    linear = np.arange(-32768, 32768)
    magnitude = np.minimum(np.abs(linear), 32635) + 132
    shift = np.floor(np.log2(magnitude)).astype(int) - 4
    decoded = ((magnitude >> shift << shift) + (1 << shift >> 1)) - 132
    return (np.sign(linear) * np.maximum(decoded, 0)).astype(np.int16)


def _a_law_steps() -> Int16:
    """Decoded value of each 16-bit sample after one A-law round trip (ITU-T G.711)."""
    linear = np.arange(-32768, 32768)
    magnitude = np.minimum(np.abs(linear), 32767)
    shift = np.maximum(np.floor(np.log2(np.maximum(magnitude, 1))).astype(int) - 4, 4)
    decoded = (magnitude >> shift << shift) + (1 << shift >> 1)
    return np.where(linear < 0, -decoded, decoded).astype(np.int16)


_STEPS = (_mu_law_steps(), _a_law_steps())


def to_line_rate(pcm: Int16, rate_hz: int, random: Random | None = None) -> Float64:
    """Resample to 8 kHz and band-limit to about 300-3400 Hz in the Fourier domain.

    pcm: shape (n,). Returns float64 in -1..1. With `random` the band edges and the spectral
    tilt vary as telephones do; without it only the rate changes.
    """
    size = _fast_length(len(pcm), rate_hz)
    spectrum = np.fft.rfft(pcm / 32768.0, size)
    out_size = size * LINE_RATE_HZ // rate_hz
    spectrum = spectrum[: out_size // 2 + 1]
    hz = np.linspace(0, LINE_RATE_HZ / 2, len(spectrum))
    spectrum *= np.clip((3_950 - hz) / 250, 0, 1)
    if random is not None:
        low, high = random.uniform(60, 320), random.uniform(3_200, 3_700)
        spectrum *= np.clip((hz - 0.5 * low) / (0.5 * low), 0, 1)
        spectrum *= np.clip((high + 200 - hz) / 200, 0.003, 1)
        tilt_db = random.uniform(-6, 6)
        spectrum *= 10 ** (tilt_db * (hz - 1_200) / 2_800 / 20)
    resampled = np.fft.irfft(spectrum, out_size) * (LINE_RATE_HZ / rate_hz)
    return resampled[: len(pcm) * LINE_RATE_HZ // rate_hz]


def _fast_length(samples: int, rate_hz: int) -> int:
    """A transform length at both rates: 441 a at 22.05 kHz is 160 a at 8 kHz."""
    unit = rate_hz // np.gcd(rate_hz, LINE_RATE_HZ)
    blocks = -(-samples // unit)
    while _has_large_factor(blocks):
        blocks += 1
    return int(blocks * unit)


def _has_large_factor(number: int) -> bool:
    for prime in (2, 3, 5, 7):
        while number % prime == 0:
            number //= prime
    return number > 1


def over_the_line(speech: Float64, random: Random) -> Int16:
    """Put speech between silences, at some level, in some noise, through G.711 with loss."""
    rng = np.random.default_rng(random.getrandbits(63))
    before, after = random.uniform(0.03, 0.4), random.uniform(0.05, 0.7)
    signal = np.pad(speech, (int(before * LINE_RATE_HZ), int(after * LINE_RATE_HZ)))
    level_db = random.uniform(-32, -14) if random.random() < 0.8 else random.uniform(-38, -8)
    rms = np.sqrt(np.mean(np.square(speech))) if len(speech) else 0.0
    signal *= 10 ** (level_db / 20) / max(rms, 1e-4)
    if random.random() < 0.4:
        snr_db = random.uniform(12, 40)
        signal += noise(len(signal), random, rng) * 10 ** ((level_db - snr_db) / 20)
    elif random.random() < 0.5:
        signal += noise(len(signal), random, rng) * 10 ** (random.uniform(-75, -50) / 20)
    return coded(signal, random, rng)


def coded(signal: Float64, random: Random, rng: np.random.Generator) -> Int16:
    """Return the G.711 round trip of a signal in -1..1, with up to 3 % of frames lost."""
    pcm = np.clip(np.round(signal * 32768), -32768, 32767).astype(np.int32)
    steps = _STEPS[0] if random.random() < 0.7 else _STEPS[1]
    heard = steps[pcm + 32768] if random.random() < 0.95 else pcm.astype(np.int16)
    if random.random() < 0.1:
        _lose_frames(heard, random, rng)
    return heard


def _lose_frames(pcm: Int16, random: Random, rng: np.random.Generator) -> None:
    """Zero or repeat single frames in place."""
    frames = len(pcm) // _FRAME_SAMPLES
    lost = np.flatnonzero(rng.random(frames) < random.uniform(0, 0.03))
    repeat = random.random() < 0.5
    for frame in lost:
        start = int(frame) * _FRAME_SAMPLES
        before = pcm[start - _FRAME_SAMPLES : start] if repeat and frame else 0
        pcm[start : start + _FRAME_SAMPLES] = before


def noise(samples: int, random: Random, rng: np.random.Generator) -> Float64:
    """Return coloured noise or hum of unit power."""
    kind = random.random()
    if kind < 0.2:
        hum_hz = random.choice((50, 60)) * np.arange(1, 8)
        phases = rng.uniform(0, 2 * np.pi, 7)
        time_s = np.arange(samples)[:, None] / LINE_RATE_HZ
        result = (np.sin(2 * np.pi * hum_hz * time_s + phases) * rng.uniform(0, 1, 7)).sum(1)
    else:
        result = rng.standard_normal(samples)
        if kind < 0.7:
            spectrum = np.fft.rfft(result)
            hz = np.fft.rfftfreq(samples, 1 / LINE_RATE_HZ)
            spectrum *= (np.maximum(hz, 50) / 1_000) ** -random.uniform(0.2, 1.2)
            result = np.fft.irfft(spectrum, samples)
    return result / max(float(np.sqrt(np.mean(np.square(result)))), 1e-9)


_DTMF_HZ = [(low, high) for low in (697, 770, 852, 941) for high in (1209, 1336, 1477, 1633)]
_TONES_HZ = [(440, 480), (480, 620), (350, 440), (425,), (1000,), (1400,), (950, 1400), (2100,)]


def no_speech(random: Random) -> Int16:
    """Return a stretch without words: silence, noise, hum, tones, beeps, DTMF or clicks."""
    rng = np.random.default_rng(random.getrandbits(63))
    samples = int(random.uniform(0.25, 3.0) * LINE_RATE_HZ)
    signal = np.zeros(samples)
    kind = random.random()
    if kind > 0.15:
        signal += noise(samples, random, rng) * 10 ** (random.uniform(-80, -25) / 20)
    if kind > 0.45:
        for _ in range(random.randint(1, 3)):
            start = random.randrange(samples)
            part = signal[start : start + int(random.uniform(0.04, 1.0) * LINE_RATE_HZ)]
            part += _event(len(part), random, rng) * 10 ** (random.uniform(-40, -8) / 20)
    return coded(signal, random, rng)


def _event(samples: int, random: Random, rng: np.random.Generator) -> Float64:
    kind = random.random()
    if kind < 0.6:
        tones = random.choice(_DTMF_HZ if random.random() < 0.5 else _TONES_HZ)
        time_s = np.arange(samples) / LINE_RATE_HZ
        return sum((np.sin(2 * np.pi * hz * time_s) for hz in tones), np.zeros(samples))
    if kind < 0.8:  # a click or a knock
        decay = np.exp(-np.arange(samples) / random.uniform(5, 400))
        return rng.standard_normal(samples) * decay * 2
    swell = np.hanning(samples) if samples > 2 else np.ones(samples)  # a breath or a rustle
    return rng.standard_normal(samples) * swell
