"""What `offhook bench requests` asks of whom."""

import pytest
from typer.testing import CliRunner

from bench.cli import app
from bench.placing import NUMBERS
from bench.throughput import CALLS, CLIENTS, FULL, QUICK, TALKERS, Extent
from server.calls.policy.numbers import NumberRules, check_number


@pytest.mark.parametrize("extent", [QUICK, FULL])
def test_no_number_is_named_twice_in_a_window(extent: Extent) -> None:
    assert extent.most + CLIENTS <= len(NUMBERS)


def test_the_ten_who_talk_may_be_called_and_are_not_called_again() -> None:
    rules = NumberRules(home_region="US", allowed_regions=frozenset({"US"}))
    assert len({check_number(number, rules) for number in TALKERS}) == CALLS
    assert not set(TALKERS) & set(NUMBERS)


def test_the_command_is_there() -> None:
    result = CliRunner().invoke(app, ["requests", "--help"])
    assert result.exit_code == 0
    assert "--quick" in result.output
