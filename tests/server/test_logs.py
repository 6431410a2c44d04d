"""What a log line shows."""

import atexit
import io
import logging
import threading
from collections.abc import Callable, Iterator

import pytest

from server.logs import configure_logs, mask

Written = Callable[[], str]


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def written(stream: io.StringIO) -> Iterator[Written]:
    """Stops the logging and tells what it wrote."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    writer = configure_logs("DEBUG", stream)
    atexit.unregister(writer.stop)

    def stop() -> str:
        writer.stop()
        return stream.getvalue()

    yield stop
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


def test_arguments_are_masked_too(written: Written) -> None:
    logging.getLogger("offhook").info("calling %s", "+16478359044")
    text = written()
    assert 'message="calling +1647***9044"' in text
    assert "8359044" not in text


def test_a_record_is_one_line_whatever_it_holds(written: Written) -> None:
    try:
        raise ValueError("dialled +16478359044\nand failed")
    except ValueError:
        logging.getLogger("offhook").exception('a "quoted"\nmessage\r\n\u2028level=info')
    text = written()
    assert len(text.splitlines()) == 1
    assert "level=error logger=offhook" in text
    assert "8359044" not in text


def test_a_reader_that_does_not_read_keeps_nobody_waiting(
    stream: io.StringIO, written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_on = threading.Event()
    write = stream.write
    monkeypatch.setattr(stream, "write", lambda text: read_on.wait(5) and write(text))
    for number in range(3):
        logging.getLogger("offhook").info("line %d", number)
    assert stream.getvalue() == ""
    read_on.set()
    assert len(written().splitlines()) == 3
