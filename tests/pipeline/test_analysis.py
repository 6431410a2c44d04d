"""Verdicts on whole conversations."""

from dataclasses import replace

import pytest

from pipeline.analysis import analyse, answered_by
from pipeline.brain import Task
from pipeline.judging import Criterion
from pipeline.plan import plan_by_rules
from pipeline.ports import Act, Message
from pipeline.tools import result
from tests.pipeline.conversation import DEBT, RESTAURANT, Conversation, Heard

GREETING = "hi you've reached bobby please leave a message after the tone"
SCREEN = "please record your name and reason for calling and i'll see if this person is available"

ASK = Task("Ask whether they are open on Sunday")


@pytest.mark.parametrize(
    ("task", "turns", "disposition", "evidence"),
    [
        (DEBT, ["hello", "yes this is boby", "yes i can pay that"], "agreed", "yes i can pay that"),
        (DEBT, ["yes", "okay"], "agreed", "okay"),
        (DEBT, [(7, "who is this"), "yes", (9, "okay"), "i will pay"], "agreed", "i will pay"),
        (DEBT, ["yes", (6, "who is this"), "yes i will pay it"], "agreed", "yes i will pay it"),
        (DEBT, ["yes", "no i'm not going to pay"], "refused", "no i'm not going to pay"),
        (DEBT, ["yes", "i allready paid that"], "disputed", "i allready paid that"),
        (DEBT, ["no you have the wrong number"], "wrong_person", "no you have the wrong number"),
        (DEBT, ["no"], "wrong_person", "no"),
        (DEBT, ["yes", "i need more time", "next friday"], "callback", "next friday"),
        (DEBT, ["yes", "no", "okay on monday"], "callback", "okay on monday"),
        (DEBT, ["yes", "can i speak to a human"], "escalated", "can i speak to a human"),
        (DEBT, ["yes", "rabbit", "rabbit", "rabbit"], "inconclusive", None),
        (DEBT, ["bobby is not here right now"], "unavailable", "bobby is not here right now"),
        (DEBT, [GREETING, ""], "voicemail", GREETING),
        (DEBT, [SCREEN, "", "", "", ""], "screening", SCREEN),
        (DEBT, [SCREEN, "hello", "yes this is bobby", "i can pay"], "agreed", "i can pay"),
        (RESTAURANT, ["hello luigi's how can i help", "sure for how many people",
                      "you're all set see you tonight", "yes outside"], "confirmed",
         "you're all set see you tonight"),
        (RESTAURANT, ["sure", "no only inside", "yes"], "confirmed", "yes"),
        (RESTAURANT, ["we are full at seven is eight okay"], "alternative",
         "we are full at seven is eight okay"),
        (RESTAURANT, ["sorry we are fully booked"], "refused", "sorry we are fully booked"),
        (Task("Ask if they are open on Sunday"), ["yes we are open until six"], "informed",
         "yes we are open until six"),
        (ASK, ["yes"], "informed", "yes"),
        (ASK, ["no sorry we are closed"], "informed", "no sorry we are closed"),
        (ASK, ["from nine to five"], "informed", "from nine to five"),
        (ASK, ["okay yes i can pay that today"], "inconclusive", None),
        (ASK, ["the cat is on the roof"], "inconclusive", None),
        (ASK, ["you have the wrong number"], "wrong_person", "you have the wrong number"),
        (ASK, ["call me back tomorrow"], "callback", "call me back tomorrow"),
        (ASK, ["i am not interested"], "refused", "i am not interested"),
        (ASK, ["i don't know"], "inconclusive", None),
        (Task("Find out what time they close"), ["sure"], "inconclusive", None),
        (replace(ASK, first_message=""), ["yes joes pizza"], "inconclusive", None),
        (replace(ASK, first_message=""), ["hello", "yes we are"], "informed", "yes we are"),
        (replace(DEBT, first_message=""), ["yes", "yes", "okay"], "agreed", "okay"),
        (replace(DEBT, first_message="Morning, Bobby?"), ["yes"], "inconclusive", None),
    ],
)  # fmt: skip
def test_a_conversation_is_judged_with_its_evidence(
    task: Task, turns: list[Heard], disposition: str, evidence: str | None
) -> None:
    talk = Conversation(task).hear(*turns)
    who = answered_by(talk.messages)
    verdict = analyse(task, talk.messages, ended_reason=talk.ended, answered_by=who)
    assert verdict.disposition == disposition
    assert verdict.success is (disposition in ("agreed", "confirmed", "informed"))
    assert verdict.criteria[-1].met is verdict.success
    assert verdict.criteria[-1].evidence == evidence
    heard = [m.content for m in talk.messages if m.role == "user"]
    assert all(c.evidence in heard for c in verdict.criteria if c.evidence)
    assert verdict.summary


def test_the_criteria_name_the_person_and_the_amount() -> None:
    talk = Conversation(DEBT).hear("yes this is bobby", "i will pay")
    verdict = analyse(DEBT, talk.messages, ended_reason="agent_hangup", answered_by="human")
    assert [criterion.text for criterion in verdict.criteria] == [
        "Reached Bobby",
        "Bobby agrees to pay $154.56",
    ]
    assert verdict.criteria[0].evidence == "yes this is bobby"
    assert verdict.summary == 'Bobby agrees to pay $154.56. They said: "i will pay".'


def test_a_soft_word_over_our_speech_agrees_to_nothing() -> None:
    messages = [
        Message("assistant", "Hi, is this Bobby?"),
        Message("user", "yes"),
        Message("assistant", "Hi Bobby, this is Ava on", "Hi Bobby, this is Ava on ...", True),
        Message("user", "okay"),
    ]
    verdict = analyse(DEBT, messages, ended_reason="user_hangup", answered_by="human")
    assert verdict.disposition == "inconclusive"


@pytest.mark.parametrize(
    ("reason", "disposition"),
    [
        ("dial_busy", "busy"),
        ("dial_no_answer", "no_answer"),
        ("user_declined", "declined"),
        ("invalid_destination", "failed"),
        ("canceled", "canceled"),
        ("inactivity", "no_answer"),
        ("something_new", "no_answer"),
    ],
)
def test_a_call_without_words_has_a_verdict_too(reason: str, disposition: str) -> None:
    verdict = analyse(DEBT, [], ended_reason=reason, answered_by="unknown")
    assert verdict.disposition == disposition
    assert not verdict.success
    assert not any(criterion.met for criterion in verdict.criteria)
    assert verdict.summary


@pytest.mark.parametrize(
    ("turns", "who"),
    [
        ([], "unknown"),
        ([""], "unknown"),
        (["hello"], "human"),
        (["one moment please"], "human"),
        ([GREETING], "machine"),
        (["hello", "i can't come to the phone please leave a message"], "machine"),
        ([SCREEN], "screening"),
        ([SCREEN, "hello this is bobby"], "human"),
        ([SCREEN, "please stay on the line"], "screening"),
    ],
)
def test_who_answered_is_told_by_the_first_words(turns: list[str], who: str) -> None:
    assert answered_by([Message("user", text) for text in turns]) == who


@pytest.mark.parametrize("reason", ["engine_error", "user_hangup", "max_duration_reached"])
def test_a_call_that_broke_off_has_no_success(reason: str) -> None:
    messages = [Message("assistant", "Hi, is this Bobby?"), Message("user", "yes")]
    verdict = analyse(DEBT, messages, ended_reason=reason, answered_by="human")
    assert verdict.disposition == ("failed" if reason == "engine_error" else "inconclusive")


def test_a_script_that_confirms_ends_confirmed() -> None:
    task = replace(DEBT, goal="Confirm the appointment of Bobby")
    talk = Conversation(task).hear("yes", "yes that's fine")
    verdict = analyse(task, talk.messages, ended_reason="agent_hangup", answered_by="human")
    assert verdict.disposition == "confirmed"


def test_the_plans_criteria_are_judged_beside_the_main_one() -> None:
    task = replace(RESTAURANT, criteria=plan_by_rules(RESTAURANT).success_criteria)
    talk = Conversation(task).hear("sure", "yes outside is fine", "yes")
    verdict = analyse(task, talk.messages, ended_reason="agent_hangup", answered_by="human")
    assert [(c.text, c.met, c.evidence) for c in verdict.criteria] == [
        ("Outdoor seating is possible", True, "yes outside is fine"),
        ("The reservation is confirmed", True, "yes"),
    ]


def test_a_further_criterion_decides_nothing() -> None:
    task = replace(RESTAURANT, criteria=("A parking space is kept",))
    talk = Conversation(task).hear("you're all set", "yes", "yes")
    verdict = analyse(task, talk.messages, ended_reason="agent_hangup", answered_by="human")
    assert verdict.success
    assert [criterion.met for criterion in verdict.criteria] == [False, True]


def test_verdicts_of_a_model_take_the_place_of_rules() -> None:
    task = replace(RESTAURANT, criteria=("A parking space is kept",))
    judged = [Criterion("A parking space is kept", True, "yes")]
    verdict = analyse(
        task, [Message("user", "yes")], ended_reason="x", answered_by="human", judged=judged
    )
    assert verdict.criteria[0] == judged[0]


def test_a_greeting_meets_no_criterion() -> None:
    task = replace(RESTAURANT, criteria=("Outdoor seating is possible",))
    messages = [Message("user", "outdoor seating is possible please leave a message")]
    verdict = analyse(task, messages, ended_reason="voicemail_reached", answered_by="machine")
    assert not any(criterion.met for criterion in verdict.criteria)


def test_results_of_tools_are_nobodys_words() -> None:
    messages = [Message("user", "hello"), result(Act("x", {}), ok=True, value="i will pay")]
    assert answered_by(messages) == "human"
    verdict = analyse(DEBT, messages, ended_reason="user_hangup", answered_by="human")
    assert verdict.disposition == "inconclusive"
