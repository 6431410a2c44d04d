import pytest

from media.quality import Arrivals, Quality, mos


def quality(received: int, lost: int) -> Quality:
    return Quality(
        at=1.0,
        received=received,
        lost=lost,
        late=0,
        duplicates=0,
        strangers=0,
        malformed=0,
        jitter_ms=0.0,
        concealed_ms=0.0,
        sent=0,
        first_packet_at=None,
        last_packet_at=None,
    )


def test_a_clean_g711_leg_scores_as_the_e_model_says() -> None:
    assert mos(0.0, 20.0) == pytest.approx(4.40, abs=0.01)


def test_loss_costs_opinion_and_never_leaves_the_scale() -> None:
    scores = [mos(share / 100, 20.0) for share in range(101)]
    assert scores == sorted(scores, reverse=True)
    assert 1.0 <= scores[-1] < 1.5


def test_delay_beyond_177_ms_costs_more() -> None:
    assert mos(0, 150) - mos(0, 170) < mos(0, 250) - mos(0, 270)


def test_loss_is_the_share_of_expected_packets() -> None:
    assert quality(95, 5).loss == pytest.approx(0.05)
    assert quality(0, 0).loss == 0.0


def test_evenly_spaced_packets_have_no_jitter() -> None:
    arrivals = Arrivals(8000)
    for n in range(100):
        arrivals.count(1, n * 160, n * 0.02)
    assert arrivals.jitter_ms == pytest.approx(0, abs=1e-6)
    assert (arrivals.first_at, arrivals.last_at) == (0.0, pytest.approx(1.98))


def test_jitter_follows_rfc_3550() -> None:
    arrivals = Arrivals(8000)
    arrivals.count(1, 0, 0.0)
    arrivals.count(1, 160, 0.036)
    assert arrivals.jitter_ms == pytest.approx(16 / 16)


def test_a_wrapped_timestamp_is_not_jitter() -> None:
    arrivals = Arrivals(8000)
    arrivals.count(1, 0xFFFFFFB0, 0.0)
    arrivals.count(1, 80, 0.02)
    assert arrivals.jitter_ms == 0.0
