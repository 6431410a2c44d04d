"""Identifiers that sort by the time at which they were made (RFC 9562 §5.7, UUID version 7)."""

import secrets
import time


def new_call_id(now_ns: int | None = None) -> str:
    """`call_` and a version 7 UUID in hex. now_ns: Unix time; the clock's where absent."""
    ns = time.time_ns() if now_ns is None else now_ns
    milliseconds, rest = divmod(ns, 1_000_000)
    fraction = rest * 4096 // 1_000_000
    high = (milliseconds & (1 << 48) - 1) << 16 | 0x7 << 12 | fraction
    low = 0b10 << 62 | secrets.randbits(62)
    return f"call_{high << 64 | low:032x}"
