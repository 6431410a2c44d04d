from server.sip.timers import Timers


def test_deadlines_run_in_order_once_due():
    timers, ran = Timers(), []
    timers.call_at(2.0, lambda now: ran.append("late"))
    timers.call_at(1.0, lambda now: ran.append("early"))
    timers.run(0.5)
    assert ran == []
    timers.run(2.0)
    assert ran == ["early", "late"]
    assert timers.next() is None


def test_a_cancelled_deadline_neither_runs_nor_wakes_anyone():
    timers, ran = Timers(), []
    timers.call_at(1.0, lambda now: ran.append(1)).cancel()
    assert timers.next() is None
    timers.run(2.0)
    assert ran == []


def test_a_deadline_may_cancel_a_later_one_of_the_same_moment():
    timers, ran = Timers(), []
    timers.call_at(1.0, lambda now: other.cancel())
    other = timers.call_at(1.0, lambda now: ran.append(1))
    timers.run(1.0)
    assert ran == []
