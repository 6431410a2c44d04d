"""What the demo expects, shows and configures."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from rich.console import Console

from bench.child import Child
from bench.demo import compare, run
from bench.errors import ChildDied
from bench.ideal import last_before
from bench.node_process import NodePlan
from bench.persona import Expect
from bench.terminal import CallView, show_report
from server.settings import load_settings

EXPECT = Expect(success=True, disposition="agreed", ended_reason="agent_hangup")
CALL = {
    "id": "call_1",
    "ended_reason": "agent_hangup",
    "answered_by": "human",
    "summary": "Bobby agrees.",
    "outcome": {"success": True, "criteria": [{"text": "pays", "met": True, "evidence": "okay"}]},
    "analysis": {"disposition": "agreed"},
    "latency": {"voice_to_voice_ms": {"p50": 301.0, "p95": 310.0, "max": 311.0, "n": 3}},
    "quality": {"inbound": {"packets": 100, "loss": 0.0, "jitter_ms": 1.5, "mos": 4.4}},
}


def shown(*events: dict[str, object]) -> str:
    console = Console(width=120)
    with console.capture() as captured:
        view = CallView(console)
        for event in events:
            view.show(event, 1.5)
    return captured.get()


def test_a_call_as_expected_has_no_misses() -> None:
    assert compare(EXPECT, CALL) == []


def test_each_difference_is_named() -> None:
    misses = compare(EXPECT, {"ended_reason": "user_hangup"})
    assert [miss.split()[0] for miss in misses] == ["ended_reason", "success", "disposition"]


def test_a_disposition_that_is_not_expected_is_not_compared() -> None:
    expect = Expect(success=True, disposition=None, ended_reason="agent_hangup")
    assert compare(expect, CALL) == []


def test_an_unknown_scenario_ends_with_a_list_of_them(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run("nobody", out=tmp_path) == 2
    assert "agrees" in capsys.readouterr().err


def test_the_nodes_configuration_is_valid(tmp_path: Path) -> None:
    plan = NodePlan(
        tmp_path, tmp_path / "node.log", callee_port=5070, http_port=8081, sip_port=5061
    )
    plan.config.write_text(plan.toml(), "utf-8")
    settings = load_settings(plan.config)
    assert settings.trunks[0].port == 5070
    assert settings.data.dir == tmp_path / "data"


def test_a_reply_is_shown_with_its_latency() -> None:
    text = shown(
        {"type": "status", "data": {"status": "ringing"}},
        {"type": "reply", "data": {"latency": {"voice_to_voice_ms": 412.3}}},
        {"type": "transcript.final", "data": {"role": "assistant", "content": "Is this Bobby?"}},
        {"type": "transcript.final", "data": {"role": "user", "content": "yes"}},
    )
    assert "ringing" in text
    assert "412 ms" in text.splitlines()[1]
    assert "412 ms" not in text.splitlines()[2]


def test_a_turn_that_was_cut_off_says_so() -> None:
    data = {"role": "assistant", "content": "This is", "interrupted": True}
    assert "cut off" in shown({"type": "transcript.final", "data": data})


@pytest.mark.parametrize("width", [80, 140])
def test_the_report_shows_verdict_evidence_measures_and_files(width: int) -> None:
    console = Console(width=width)
    with console.capture() as captured:
        show_report(console, CALL, [], {"record": Path("out/call.json")})
    text = captured.get()
    for part in ("success", "agreed", "“okay”", "301", "4.40", "out/call.json", "✓ the call went"):
        assert part in text


@pytest.mark.parametrize(("at", "found"), [(5.0, 4.0), (4.0, 4.0), (0.5, None)])
def test_the_last_moment_before_another(at: float, found: float | None) -> None:
    known: Sequence[float] = [1.0, 4.0, 6.0]
    assert last_before(known, at) == found


async def test_a_process_that_ends_too_early_is_noticed_at_once(tmp_path: Path) -> None:
    child = await Child.start("it", "this", log=tmp_path / "it.log")
    with pytest.raises(ChildDied, match="status 0"):
        await child.alive_until(asyncio.sleep(60))
    await child.stop()
