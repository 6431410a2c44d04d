"""What a log line shows."""

import io
import logging
from collections.abc import Iterator

import pytest

from server.logs import configure_logs, mask


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    stream = io.StringIO()
    configure_logs("DEBUG", stream)
    yield stream
    root.handlers[:], level = before
    root.setLevel(level)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("to +16478359044", "to +1647***9044"),
        ("sip:+16478359044@pbx", "sip:+1647***9044@pbx"),
        ("sip:16478359044@pbx", "sip:1647***9044@pbx"),
        ("+4930123", "+***23"),
        ("call_019a7b16478359044 took 123456789 ns", "call_019a7b16478359044 took 123456789 ns"),
        ("key ohk_0123456789ab_s3cret-Part_2", "key ***"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        ('response="0123abcd"', 'response="***"'),
        ("password=hunter2 next", "password=*** next"),
    ],
)
def test_numbers_and_secrets_are_masked(text: str, masked: str) -> None:
    assert mask(text) == masked


def test_arguments_are_masked_too(lines: io.StringIO) -> None:
    logging.getLogger("offhook").info("calling %s", "+16478359044")
    assert 'message="calling +1647***9044"' in lines.getvalue()
    assert "8359044" not in lines.getvalue()


def test_a_record_is_one_line_whatever_it_holds(lines: io.StringIO) -> None:
    try:
        raise ValueError("dialled +16478359044\nand failed")
    except ValueError:
        logging.getLogger("offhook").exception('a "quoted"\nmessage\r\n\u2028level=info')
    text = lines.getvalue()
    assert len(text.splitlines()) == 1
    assert "level=error logger=offhook" in text
    assert "8359044" not in text
