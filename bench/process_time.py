"""What a process took of the machine, and what it had to wait for; Linux."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class ProcessTime:
    """Seconds since a process began."""

    cpu_s: float
    """All its threads, in the kernel too; in steps of 10 ms."""
    waited_s: float
    """Its first thread, which runs the event loop, was ready but had no core."""

    @classmethod
    def of(cls, pid: int) -> ProcessTime:
        """Read it now. Raises OSError when there is no such process."""
        folder = Path("/proc") / str(pid)
        fields = (folder / "stat").read_text("ascii").rpartition(")")[2].split()
        waited_ns = int((folder / "schedstat").read_text("ascii").split()[1])
        return cls((int(fields[11]) + int(fields[12])) / _TICKS_PER_S, waited_ns / 1e9)

    def since(self, earlier: ProcessTime) -> ProcessTime:
        """What was added since."""
        return ProcessTime(self.cpu_s - earlier.cpu_s, self.waited_s - earlier.waited_s)
