import numpy as np
import pytest

from media.codecs import G711, PCMA, PCMU, codec_named

# ITU-T G.711 table 2a, values of the decoder output on the 14-bit scale.
ULAW_14_BIT = {
    0x80: 8031, 0x8F: 4191, 0x9F: 2079, 0xAF: 1023, 0xBF: 495,
    0xCF: 231, 0xDF: 99, 0xEF: 33, 0xFE: 2, 0xFF: 0,
}  # fmt: skip
# ITU-T G.711 table 1a, on the 13-bit scale, codes before the inversion of even bits.
ALAW_13_BIT = {
    0xFF: 4032, 0xF0: 2112, 0xE0: 1056, 0xD0: 528, 0xC0: 264, 0xB0: 132, 0xA0: 66, 0x80: 1,
}  # fmt: skip

ALL_CODES = bytes(range(256))
ALL_SAMPLES = np.arange(-32768, 32768).astype(np.int16)


@pytest.mark.parametrize(("code", "value"), ULAW_14_BIT.items())
def test_mu_law_decodes_to_the_values_of_the_itu_table(code: int, value: int) -> None:
    assert PCMU.decode(bytes((code, code ^ 0x80))).tolist() == [value * 4, -value * 4]


@pytest.mark.parametrize(("code", "value"), ALAW_13_BIT.items())
def test_a_law_decodes_to_the_values_of_the_itu_table(code: int, value: int) -> None:
    wire = code ^ 0x55
    assert PCMA.decode(bytes((wire, wire ^ 0x80))).tolist() == [value * 8, -value * 8]


def test_all_a_law_codes_survive_a_round_trip() -> None:
    assert PCMA.encode(PCMA.decode(ALL_CODES)) == ALL_CODES


def test_all_mu_law_codes_but_minus_zero_survive_a_round_trip() -> None:
    assert PCMU.encode(PCMU.decode(ALL_CODES)) == ALL_CODES.replace(b"\x7f", b"\xff")


@pytest.mark.parametrize("codec", [PCMU, PCMA])
def test_every_sample_decodes_close_to_itself(codec: G711) -> None:
    error = np.abs(codec.decode(codec.encode(ALL_SAMPLES)).astype(int) - ALL_SAMPLES)
    assert np.all(error <= np.maximum(np.abs(ALL_SAMPLES.astype(int)) // 20, 16))


@pytest.mark.parametrize("codec", [PCMU, PCMA])
def test_a_louder_sample_never_decodes_quieter(codec: G711) -> None:
    assert np.all(np.diff(codec.decode(codec.encode(ALL_SAMPLES)).astype(int)) >= 0)


def test_silence_has_the_octets_of_the_law() -> None:
    zero = np.zeros(3, np.int16)
    assert (PCMU.encode(zero), PCMA.encode(zero)) == (b"\xff\xff\xff", b"\xd5\xd5\xd5")


def test_an_empty_payload_is_no_audio() -> None:
    assert PCMU.decode(b"").size == 0


def test_a_view_with_a_stride_is_encoded_as_what_it_shows() -> None:
    samples = np.arange(-800, 800, dtype=np.int16)
    assert PCMA.encode(samples[::2]) == PCMA.encode(samples[::2].copy())


def test_a_codec_is_found_by_name_in_any_case_and_by_clock() -> None:
    assert codec_named("pcmu", 8000) is PCMU
    assert codec_named("PCMU", 16000) is None
