"""A process's time, read of this one."""

import os
import time

from bench.process_time import ProcessTime


def test_work_is_counted_as_cpu_time() -> None:
    before, began = ProcessTime.of(os.getpid()), time.process_time()
    while time.process_time() - began < 0.1:
        pass
    worked = time.process_time() - began
    assert abs(ProcessTime.of(os.getpid()).since(before).cpu_s - worked) <= 0.03


def test_waiting_never_shrinks() -> None:
    before = ProcessTime.of(os.getpid())
    assert ProcessTime.of(os.getpid()).since(before).waited_s >= 0
