"""Log lines: one per record, `key=value`, phone numbers masked, secrets struck out.

Lines are made where they are logged and written by a thread: the media loop may not wait for
whoever reads standard error.
"""

import atexit
import json
import logging
import re
import sys
import time
from logging.handlers import QueueHandler, QueueListener
from queue import SimpleQueue
from typing import TextIO

_NUMBER = re.compile(r"(?P<plus>\+|(?<=sip:)|(?<=tel:))(?P<digits>[1-9]\d{6,14})(?!\d)")
_SECRET = re.compile(
    r"""(?ix)
    \b ohk_[0-9a-f]+_[\w-]+
    | (?<= bearer\s ) \S+
    | (?<= password= ) \S+ | (?<= response=" ) [^"]+
    """
)


def mask(text: str) -> str:
    """Hide the middle of every phone number, and every key, password and digest."""
    return _NUMBER.sub(_mask_number, _SECRET.sub("***", text))


def _mask_number(found: re.Match[str]) -> str:
    digits = found["digits"]
    shown = f"{digits[:4]}***{digits[-4:]}" if len(digits) >= 10 else f"***{digits[-2:]}"
    return found["plus"] + shown


class MaskFilter(logging.Filter):
    """Masks the finished message of a record, arguments included."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record in place; never drops it."""
        record.msg = mask(record.getMessage())
        record.args = ()
        return True


class LineFormatter(logging.Formatter):
    """`time=… level=… logger=… message="…"`, a traceback folded into the same line."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def format(self, record: logging.LogRecord) -> str:
        """One line, whatever the record holds."""
        parts = [
            f"time={self.formatTime(record)}",
            f"level={record.levelname.lower()}",
            f"logger={record.name}",
            f"message={_quote(record.getMessage())}",
        ]
        if record.exc_info:
            parts.append(f"error={_quote(mask(self.formatException(record.exc_info)))}")
        return " ".join(parts)


def configure_logs(level: str = "INFO", stream: TextIO | None = None) -> QueueListener:
    """Send every logger of the process through the mask, to standard error.

    Returns what writes; at exit it writes what is left.
    """
    lines: SimpleQueue[logging.LogRecord] = SimpleQueue()
    handler = QueueHandler(lines)
    handler.addFilter(MaskFilter())
    handler.setFormatter(LineFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    writer = QueueListener(lines, logging.StreamHandler(stream or sys.stderr))
    writer.start()
    atexit.register(writer.stop)
    for noisy in ("aiosqlite", "alembic", "sqlalchemy.engine"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    return writer


def _quote(text: str) -> str:
    return json.dumps(text)
