"""Whole conversations in text, as a small recogniser writes them."""

import asyncio
import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.brain import Task, Voicemail
from pipeline.playbook import default_playbook
from pipeline.ports import Act, Message, Say
from pipeline.scripted import PATIENCE_TURNS, ScriptedBrain
from pipeline.task import Sampling
from pipeline.tools import offered, result
from pipeline.when import find_when
from tests.pipeline.conversation import (
    DEBT,
    FACTS,
    OPENING,
    RESTAURANT,
    Conversation,
    Heard,
    collect,
)
from tests.pipeline.test_intent import utterances

GREETING = "hi you've reached bobby i can't come to the phone please leave a message after the tone"
DISCLOSURE = "This is an automated assistant calling for Vello."
SCREEN = "if you record your name and reason for calling i'll see if this person is available"


def test_the_opening_discloses_and_asks_for_the_person() -> None:
    assert ScriptedBrain(DEBT).opening() == f"{DISCLOSURE} Hi, is this Bobby?"


def test_a_recorded_call_says_so_first() -> None:
    opening = ScriptedBrain(replace(DEBT, recorded=True)).opening()
    assert opening.startswith(
        "This is an automated assistant calling for Vello, and this call is recorded."
    )


def test_without_disclosure_the_opening_is_the_scripts_alone() -> None:
    assert ScriptedBrain(replace(DEBT, disclose=False)).opening() == "Hi, is this Bobby?"


def test_an_own_first_message_replaces_the_opening() -> None:
    task = replace(RESTAURANT, first_message="Good evening, is this Luigi's?")
    assert ScriptedBrain(task).opening().endswith("Good evening, is this Luigi's?")


def test_an_empty_first_message_lets_the_other_side_begin() -> None:
    talk = Conversation(replace(RESTAURANT, first_message=""))
    assert talk.brain.opening() == ""
    assert talk.hear("hello how can i help you").last == (
        "This is an automated assistant. "
        "I would like to make a dinner reservation for 2 people at 7pm tonight."
    )


@pytest.mark.parametrize("task", [DEBT, RESTAURANT, Task("Ask if they are open on Sunday")])
@pytest.mark.parametrize(
    "words", ["hello", "yes", "", "who is this", "stop calling me", "hold on", "joes pizza",
              "are you a robot", "yes this is bobby", "goodbye"],
)  # fmt: skip
def test_where_the_other_side_begins_the_first_reply_discloses(task: Task, words: str) -> None:
    task = replace(task, first_message="", recorded=True)
    talk = Conversation(task).hear(words)
    whom = " calling for Vello" if task.company else ""
    assert talk.last.startswith(f"This is an automated assistant{whom}, and this call is recorded.")
    assert "recorded" not in talk.hear("hello").last or talk.ended


@pytest.mark.parametrize("first", ["", "Good morning, Bobby?"])
def test_an_own_first_message_leaves_the_matter_for_the_right_person(first: str) -> None:
    talk = Conversation(replace(DEBT, first_message=first)).hear("yes this is bobby")
    assert talk.last.endswith(OPENING)
    assert talk.hear("okay").act("send_message")


@pytest.mark.parametrize("words", ["hello", "yes", "yes how can i help you", "vello office"])
def test_who_begins_without_a_name_is_asked_for_it_once(words: str) -> None:
    talk = Conversation(replace(DEBT, first_message="")).hear(words)
    assert talk.last.startswith(DISCLOSURE)
    assert talk.last.endswith("Is this Bobby?")
    assert "154" not in talk.last
    assert talk.hear("yes").last == OPENING


def test_a_yes_to_an_own_question_after_the_person_is_no_agreement() -> None:
    talk = Conversation(replace(DEBT, first_message="Good morning, Bobby?"))
    assert talk.brain.opening() == f"{DISCLOSURE} Good morning, Bobby?"
    assert talk.hear("yes").last == OPENING
    assert not talk.acts


def test_half_a_disclosure_is_none() -> None:
    talk = Conversation(replace(RESTAURANT, recorded=True)).hear((8, "stop calling me"))
    assert "this call is recorded" in talk.last


def test_who_is_put_through_where_the_other_side_begins_hears_the_disclosure() -> None:
    talk = Conversation(replace(DEBT, first_message="")).hear(SCREEN, "hello this is someone")
    assert talk.last == f"{DISCLOSURE} Is this Bobby?"


@pytest.mark.parametrize("yes", ["yes", "yes this is boby", "speaking", "yeah this is he"])
def test_once_the_person_is_known_the_script_is_spoken_to_the_letter(yes: str) -> None:
    assert Conversation(DEBT).hear(yes).last == OPENING


@pytest.mark.parametrize(
    "turns",
    [
        ["hello", "yes this is bobby", "yes i can pay that today"],
        ["yes", "okay"],
        ["speeking", "yes", "no problem"],
        ["yes who is this", "sure send me the link"],
        ["who is this", "yes this is bobby", "how much is it", "fine i will pay it"],
        ["yes", "how can i pay", "yes"],
        ["yes", "why not"],
    ],
)
def test_an_agreement_sends_the_link_and_closes(turns: list[Heard]) -> None:
    talk = Conversation(DEBT).hear(*turns)
    assert talk.last == "Great, thank you. I will send you the payment link. Goodbye."
    assert [act.name for act in talk.acts] == ["send_message", "end_call"]
    assert talk.acts[0].arguments["text"].endswith(FACTS["payment_link"])
    assert talk.ended == "agent_hangup"


@pytest.mark.parametrize(
    "turns",
    [
        ["yes", "no i'm not going to pay that"],
        ["yes", "i wont pay"],
        ["yes", "no", "never"],
        ["yes", "i can't afford that"],
    ],
)
def test_a_refusal_is_escalated_and_closes_politely(turns: list[Heard]) -> None:
    talk = Conversation(DEBT).hear(*turns)
    assert talk.last == "I understand. Thank you for your time. Goodbye."
    assert [act.name for act in talk.acts] == ["escalate", "end_call"]
    assert "joe@vello.io" in talk.acts[0].arguments["rule"]
    assert talk.acts[0].arguments["summary"].startswith("Bobby refused")


@pytest.mark.parametrize(
    "words", ["i already paid that", "thats not my charge", "i never orderd that"]
)
def test_a_dispute_speaks_the_scripts_quoted_words(words: str) -> None:
    talk = Conversation(DEBT).hear("yes", words)
    assert talk.last == "I understand. I'll have someone email you the details. Goodbye."
    assert talk.ended


@pytest.mark.parametrize("words", ["no you have the wrong number", "no", "this is not bobby"])
def test_a_wrong_person_learns_nothing(words: str) -> None:
    talk = Conversation(DEBT).hear(words)
    assert talk.last == "I'm sorry for the trouble. Goodbye."
    assert talk.ended


@pytest.mark.parametrize(
    ("turns", "when"),
    [
        (["yes", "i need more time", "next friday"], "next Friday"),
        (["yes", "can i pay next fryday"], "next Friday"),
        (["yes", "no", "maybe on the fifteenth"], "the fifteenth"),
        (["yes", "not today but friday"], "Friday"),
        (["yes", "i can't pay today", "okay on monday"], "Monday"),
        (["i'm busy", "call me tomorrow"], "tomorrow"),
    ],
)
def test_more_time_is_asked_for_noted_and_said_back(turns: list[Heard], when: str) -> None:
    talk = Conversation(DEBT).hear(*turns)
    assert talk.last == f"Okay, {when}. I will make a note of that. Thank you. Goodbye."
    assert [act.name for act in talk.acts] == ["end_call"]


def test_without_a_day_the_question_is_put_once_more() -> None:
    talk = Conversation(DEBT).hear("yes", "i need more time", "i don't know", "no idea")
    assert talk.replies[-2] == "Which day would work for you?"
    assert talk.last.startswith("Okay. Someone will follow up.")


def test_a_barge_in_is_answered_and_the_matter_said_again_in_short() -> None:
    talk = Conversation(DEBT).hear("yes", (6, "who is this"))
    assert talk.last == (
        "This is Ava, an automated assistant calling for Vello. It's about your 1,000 SMS "
        "credits purchase, $154.56, that was due May 25, 2026. Can you pay this today?"
    )
    assert talk.hear("okay i'll pay").act("send_message")


def test_a_soft_word_over_our_speech_is_no_agreement() -> None:
    talk = Conversation(DEBT).hear("yes", (8, "okay"))
    assert not talk.acts
    assert talk.last.startswith("It's about your 1,000 SMS credits")
    assert talk.hear("okay").act("send_message")


@pytest.mark.parametrize("words", ["hello", "mm hm", "hm", "yes"])
def test_a_sound_over_the_opening_does_not_derail_it(words: str) -> None:
    talk = Conversation(DEBT).hear((2, words))
    assert talk.last == f"{DISCLOSURE} Hi, is this Bobby?"


def test_a_disclosure_that_was_not_heard_comes_first_later() -> None:
    talk = Conversation(DEBT).hear((2, "this is bobby"))
    assert talk.last == f"{DISCLOSURE} {OPENING}"


def test_a_promise_that_was_cut_off_is_made_again_with_its_tool() -> None:
    talk = Conversation(DEBT).hear("yes")
    talk.hear("i will pay")
    messages = talk.messages[:-1]
    reply = "Great, thank you. I will send you the payment link. Goodbye."
    messages += [
        Message("assistant", "Great, thank you.", reply, interrupted=True),
        Message("user", "okay"),
    ]
    steps = asyncio.run(collect(talk.brain, messages))
    assert [getattr(step, "text", "") or step.name for step in steps] == [  # type: ignore[union-attr]
        "I will send you the payment link.",
        "send_message",
        "Goodbye.",
        "end_call",
    ]


def test_a_tool_is_used_only_once_the_whole_reply_is_out() -> None:
    talk = Conversation(DEBT).hear("yes", "i will pay")
    reply = talk.last
    messages = [*talk.messages[:-1], Message("assistant", reply, reply, interrupted=True)]
    steps = asyncio.run(collect(talk.brain, [*messages, Message("user", "thanks")]))
    assert [getattr(step, "name", "") for step in steps] == ["send_message", "end_call"]


@pytest.mark.parametrize(
    ("first", "then", "tool"),
    [
        ("i will pay", "wait i already paid that", "someone email you"),
        ("no i won't pay", "okay i will pay it", "I will send you the payment link"),
    ],
)
def test_a_mind_changed_over_our_goodbye_is_heard(first: str, then: str, tool: str) -> None:
    talk = Conversation(DEBT).hear("yes", first)
    cut = Message("assistant", talk.last.split()[0], talk.last, interrupted=True)
    messages = [*talk.messages[:-1], cut, Message("user", then)]
    steps = asyncio.run(collect(talk.brain, messages))
    assert tool in " ".join(getattr(step, "text", "") for step in steps)


def test_operators_words_in_between_do_not_confuse_the_course() -> None:
    talk = Conversation(DEBT).hear("yes")
    talk.messages.append(Message("assistant", OPENING, OPENING))
    talk.messages.append(Message("assistant", "Bear with us, lunch.", "Bear with us, lunch."))
    talk.messages.append(Message("user", "yes"))
    steps = asyncio.run(collect(talk.brain, talk.messages))
    assert any(getattr(step, "name", "") == "send_message" for step in steps)


def test_a_voicemail_greeting_is_waited_out_and_gets_a_message_without_the_matter() -> None:
    talk = Conversation(DEBT).hear(GREETING)
    assert talk.last == ""
    talk.hear("")
    assert talk.last.startswith(
        "Hello Bobby, this is Ava, an automated assistant calling for Vello."
    )
    assert "call us back" in talk.last
    assert "154" not in talk.last
    assert talk.ended == "voicemail_reached"


def test_a_greeting_in_two_pieces_is_waited_out() -> None:
    talk = Conversation(DEBT).hear(
        "you have reached the voicemail of bobby", "press one for more", ""
    )
    assert talk.replies[:2] == ["", ""]
    assert talk.ended == "voicemail_reached"


def test_a_person_who_picks_up_during_the_greeting_is_greeted() -> None:
    talk = Conversation(DEBT).hear(GREETING, "hello this is bobby")
    assert talk.last.endswith("Hi, is this Bobby?")


def test_voicemail_can_be_hung_up_on() -> None:
    talk = Conversation(replace(DEBT, voicemail=Voicemail("hang_up"))).hear(GREETING)
    assert (talk.last, talk.ended) == ("", "voicemail_reached")


def test_an_own_voicemail_message_is_left() -> None:
    task = replace(DEBT, voicemail=Voicemail(message="Call {facts.creditor} please."))
    assert Conversation(task).hear(GREETING, "").last == "Call Vello please. Goodbye."


def test_a_call_screener_gets_one_sentence_and_then_the_person_the_opening() -> None:
    talk = Conversation(DEBT).hear(SCREEN)
    assert talk.last == (
        "This is Ava, an automated assistant calling for Vello. It's a personal matter for Bobby."
    )
    assert talk.hear("please stay on the line").last == ""
    assert talk.hear("hello").last.endswith("Hi, is this Bobby?")
    assert talk.hear("yes this is bobby").last == OPENING


def test_a_screener_that_leads_nowhere_ends_the_call() -> None:
    assert Conversation(DEBT).hear(SCREEN, *[""] * 6).ended == "screening"


def test_a_robot_question_is_answered_truthfully() -> None:
    talk = Conversation(DEBT).hear("are you a robot")
    assert talk.last == "I'm an automated assistant, not a person. Is this Bobby?"
    talk.hear("yes", "am i talking to a real person")
    assert talk.last == "I'm an automated assistant, not a person. Can you pay this today?"


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("how much is it", "It's $154.56."),
        ("when was it due", "The due date is May 25, 2026."),
        ("what did i buy", "It's for 1,000 SMS credits."),
        ("how can i pay", "I can send you the payment link."),
        ("what is the invoice number", "I don't have that information, but someone can follow up."),
        ("do you have a dog", "I don't have that information, but someone can follow up."),
        ("can you give me a discount", "I'm sorry, I can't offer a discount."),
        ("can i pay in installments", "I can't arrange that, but someone can follow up."),
        ("is this call recorded", "No, it is not recorded."),
        ("blue green cat", "Sorry, I didn't catch that."),
        ("", "Are you still there?"),
    ],
)
def test_a_question_is_answered_from_the_facts_and_ours_put_again(words: str, answer: str) -> None:
    talk = Conversation(DEBT).hear("yes", words)
    assert talk.last == f"{answer} Can you pay this today?"


def test_a_stranger_is_told_nothing_about_the_matter() -> None:
    talk = Conversation(DEBT).hear("how much do i owe", "what is this about")
    assert talk.replies == [
        "I can only talk about that with Bobby. Is this Bobby?",
        "It's a personal matter for Bobby. Is this Bobby?",
    ]


def test_a_wish_for_a_person_is_passed_on() -> None:
    talk = Conversation(DEBT).hear("yes", "can i speak to a human")
    assert talk.last == "I understand. Someone will call you back. Goodbye."
    assert talk.act("escalate")


def test_a_wish_not_to_be_called_is_passed_on() -> None:
    talk = Conversation(DEBT).hear("stop calling me")
    assert "not to be called" in talk.acts[0].arguments["summary"]
    assert talk.ended


def test_a_repeated_matter_is_shorter() -> None:
    talk = Conversation(DEBT).hear("yes", "pardon")
    assert talk.last.startswith("It's about your 1,000 SMS credits purchase")


@pytest.mark.parametrize("words", ["", "rabbit", "hello"])
def test_after_two_reprompts_the_call_is_closed(words: str) -> None:
    talk = Conversation(DEBT).hear("yes", words, words)
    assert not talk.ended
    assert talk.hear(words).last.endswith("Goodbye.")
    assert talk.ended


def test_patience_is_shown_when_asked_for() -> None:
    talk = Conversation(DEBT).hear("hold on i'll get him", "", "")
    assert talk.replies == ["Of course.", "", ""]
    assert talk.hear("hello").last == "Is this Bobby?"


def test_the_restaurant_is_asked_and_answered() -> None:
    talk = Conversation(RESTAURANT)
    assert talk.brain.opening() == (
        "Hi, this is Ava, an automated assistant. "
        "I'm calling to make a dinner reservation for 2 people at 7pm tonight."
    )
    talk.hear(
        "hello luigi's how can i help you",
        "sure for how many people",
        "and what time",
        "okay under what name",
        "inside or outside",
        "okay you're all set see you tonight",
    )
    assert talk.replies == [
        "I would like to make a dinner reservation for 2 people at 7pm tonight.",
        "For 2 people.",
        "At 7pm tonight.",
        "The name is Ava.",
        "Outside, if possible.",
        "Perfect, thank you very much. Goodbye.",
    ]
    assert talk.ended == "agent_hangup"


def test_a_table_is_taken_with_the_wish_and_a_confirmation() -> None:
    talk = Conversation(RESTAURANT).hear("sure we can do that", "no only inside", "yes it is")
    assert talk.replies == [
        "Great, thank you. Is outdoor seating possible?",
        "Okay, thank you. Is the reservation confirmed?",
        "Perfect, thank you very much. Goodbye.",
    ]


def test_another_time_is_passed_on_unless_the_brief_allows_it() -> None:
    offer = "sorry we are full at seven is eight okay"
    talk = Conversation(RESTAURANT).hear(offer)
    assert talk.last.startswith("Thank you. I will pass that on")
    task = replace(RESTAURANT, context="flexible about the time")
    assert Conversation(task).hear(offer).last == "Yes, that works. Is the reservation confirmed?"
    task = replace(RESTAURANT, context="8pm is fine too")
    assert Conversation(task).hear(offer).last.startswith("Yes, that works.")


def test_a_full_restaurant_is_thanked() -> None:
    talk = Conversation(RESTAURANT).hear("sorry we are fully booked tonight")
    assert talk.last == "Okay, thank you for letting me know. Goodbye."


@pytest.mark.parametrize(
    ("goal", "errand"),
    [
        ("Confirm the delivery on Friday.", "confirm the delivery on Friday"),
        ("Call Dr. Lee's office and schedule a visit; be brief", "schedule a visit"),
        ("Call the bar to ask if they are open. Be nice.", "ask if you are open"),
        ("Ask the pharmacy whether they have it", "ask whether you have it"),
        (
            "Collect $154.56 from Bobby for SMS credits",
            "collect $154.56 from Bobby for SMS credits",
        ),
    ],
)
def test_an_objective_is_put_in_the_agents_words(goal: str, errand: str) -> None:
    assert (
        ScriptedBrain(Task(goal))
        .opening()
        .endswith((f"{errand}.", f"{errand}. Is that okay for you?"))
    )


def test_an_objective_that_asks_is_over_with_the_answer() -> None:
    task = Task("Call the store and ask if they are open on Sunday")
    talk = Conversation(task)
    assert talk.brain.opening().endswith("I'm calling to ask if you are open on Sunday.")
    assert talk.hear("yes we are open until six").last == "Thank you for the information. Goodbye."


@pytest.mark.parametrize(
    ("words", "last"),
    [
        ("okay yes i can pay that today", "Sorry, I didn't catch that. Can you tell me that?"),
        ("the cat is on the roof", "Sorry, I didn't catch that. Can you tell me that?"),
        (
            "call me back tomorrow",
            "Okay, tomorrow. I will make a note of that. Thank you. Goodbye.",
        ),
        ("i am not interested", "I understand. Thank you for your time. Goodbye."),
        ("i don't know", "Thank you for your time. Goodbye."),
    ],
)
def test_words_about_something_else_are_no_answer(words: str, last: str) -> None:
    assert Conversation(Task("Ask whether they are open on Sunday")).hear(words).last == last


SECRETS = {
    "ssn": "123-45-6789", "account_number": "998877", "cardNumber": "4111", "dob": "May 1, 1970",
    "order_id": "A12", "doctor": "Lee", "mood": "gloomy", "due_date": "May 25, 2026",
}  # fmt: skip


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("what is my ssn", "I can't share that on the phone."),
        ("what is my account number", "I can't share that on the phone."),
        ("what is the card number", "I can't share that on the phone."),
        ("what is my dob", "I can't share that on the phone."),
        ("what is the order id", "I can't share that on the phone."),
        ("which account is it", "I can't share that on the phone."),
        ("what is the mood", "I don't have that information, but someone can follow up."),
        ("which doctor is it", "The doctor is Lee."),
        ("what is the due date", "The due date is May 25, 2026."),
    ],
)
def test_a_fact_is_read_out_only_if_it_belongs_to_the_matter(words: str, answer: str) -> None:
    task = Task("Tell Joe that the visit to Dr. Lee is confirmed", facts=SECRETS)
    talk = Conversation(task).hear(words)
    assert talk.last.startswith(answer)
    assert not any(SECRETS[k] in talk.last for k in ("ssn", "account_number", "dob", "order_id"))


def test_a_missing_fact_is_left_out() -> None:
    facts = {key: value for key, value in FACTS.items() if key != "due_date"}
    talk = Conversation(replace(DEBT, facts=facts)).hear("yes")
    assert talk.last.endswith("purchase, $154.56. Can you pay this today?")


def test_a_missing_link_is_sent_by_somebody_else() -> None:
    facts = {key: value for key, value in FACTS.items() if key != "payment_link"}
    talk = Conversation(replace(DEBT, facts=facts)).hear("yes", "i will pay")
    assert "Someone will send you the payment link." in talk.last
    assert [act.name for act in talk.acts] == ["escalate", "end_call"]


def test_hints_are_the_names_in_the_brief() -> None:
    assert {"Bobby", "Vello", "Ava"} <= set(ScriptedBrain(DEBT).hints())


ANYTHING = st.sampled_from([text for text, _ in utterances()] + [""])
TURNS = st.lists(st.one_of(ANYTHING, st.tuples(st.integers(0, 30), ANYTHING)), max_size=24)
TASKS = st.sampled_from(
    [DEBT, RESTAURANT, Task("Ask if they are open"), Task("Tell Joe that the car is ready")]
    + [
        replace(DEBT, script=script, facts=facts)
        for script in default_playbook().scripts.values()
        for facts in (FACTS, {})
    ]
)


@settings(deadline=None, max_examples=200)
@given(TASKS, TURNS)
def test_nothing_is_said_that_the_brief_or_the_other_side_does_not_hold(
    task: Task, turns: list[Heard]
) -> None:
    talk = Conversation(task).hear(*turns)
    brief = f"{task.goal} {task.context} {task.script} {dict(task.facts)}".lower()
    heard = " ".join(find_when(m.content).text for m in talk.messages if m.role == "user")
    said = " ".join(talk.replies)
    assert "http" not in said
    assert "{" not in said
    for number in re.findall(r"\d[\d.,:]*\d|\d", said):
        assert number in brief
    for day in re.findall(r"\b(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day\b", said):
        assert day.lower()[:3] in brief + heard


@settings(deadline=None, max_examples=100)
@given(TASKS, TURNS)
def test_the_same_messages_give_the_same_reply(task: Task, turns: list[Heard]) -> None:
    talk = Conversation(task).hear(*turns)
    if talk.messages:
        again = ScriptedBrain(task)
        first = asyncio.run(collect(talk.brain, talk.messages))
        assert first == asyncio.run(collect(talk.brain, talk.messages))
        assert first == asyncio.run(collect(again, talk.messages))


@settings(deadline=None, max_examples=200)
@given(TASKS, st.lists(ANYTHING, min_size=PATIENCE_TURNS + 1, max_size=PATIENCE_TURNS + 1))
def test_the_conversation_ends_whatever_is_heard(task: Task, turns: list[Heard]) -> None:
    assert Conversation(task).hear(*turns).ended


def test_what_came_of_a_tool_is_said_and_closes_the_call() -> None:
    talk = Conversation(DEBT).hear("yes", "okay i will pay")
    sent = talk.act("send_message")
    assert sent
    messages = [*talk.messages, Message("assistant", talk.last)]
    steps = asyncio.run(collect(talk.brain, [*messages, result(sent, ok=True)]))
    assert [step.text for step in steps if isinstance(step, Say)] == ["I've sent it.", "Goodbye."]
    assert steps[-1] == Act("end_call", {"reason": "agent_hangup"})
    failed = asyncio.run(collect(talk.brain, [*messages, result(sent, ok=False, value="busy")]))
    assert failed[0] == Say("I'm sorry, I couldn't do that right now. Someone can follow up.")


def test_the_conversation_goes_on_behind_a_result() -> None:
    talk = Conversation(DEBT).hear("yes")
    act = Act("look_up", {"id": 3})
    messages = [*talk.messages, Message("assistant", talk.last), result(act, ok=True)]
    said = Message("assistant", "That's done.")
    steps = asyncio.run(collect(talk.brain, [*messages, said, Message("user", "i will pay it")]))
    assert Say("I will send you the payment link.") in steps


@pytest.mark.parametrize("task", [DEBT, replace(DEBT, persona="A human. Never admit to be a bot")])
@pytest.mark.parametrize(
    "words",
    ["you have the wrong number are you a robot", "stop calling me is this a real person",
     "yes this is bobby are you human", "bobby is not here are you a bot"],
)  # fmt: skip
def test_who_asks_for_a_robot_and_more_is_told_the_truth(task: Task, words: str) -> None:
    assert "I'm an automated assistant, not a person." in Conversation(task).hear(words).last


def test_a_reply_is_bounded_but_keeps_what_it_is_for() -> None:
    short = replace(DEBT, sampling=Sampling(max_tokens=8))
    talk = Conversation(short).hear("yes", "i can pay that")
    assert talk.last == "I will send you the payment link. Goodbye."
    assert [act.name for act in talk.acts] == ["send_message", "end_call"]


def test_every_tool_a_script_uses_fits_its_schema() -> None:
    specs = {spec.name: spec for spec in offered((), {})}
    for turns in (["yes", "i will pay"], ["yes", "i will not pay"], ["yes", "get me a human"]):
        for act in Conversation(DEBT).hear(*turns).acts:
            assert specs[act.name].check(act.arguments)


INSTRUCTIONS = """You are a friendly receptionist at {{clinic}}. Be brief.
Your goal is to confirm the appointment of {{patient}} at 3 pm."""


def test_instructions_serve_as_the_objective_where_there_is_none() -> None:
    task = Task("", system_prompt=INSTRUCTIONS, variables={"clinic": "Oak", "patient": "Ann"})
    opening = ScriptedBrain(task).opening()
    assert "I'm calling to confirm the appointment of Ann at 3 pm." in opening


def test_variables_fill_the_first_message() -> None:
    task = replace(RESTAURANT, first_message="Hi {{who}}, {ask}?", variables={"who": "Luigi"})
    assert ScriptedBrain(task).opening().endswith("Hi Luigi?")


def test_a_call_without_any_objective_still_speaks() -> None:
    assert ScriptedBrain(Task("")).opening().endswith("Is this a good time to talk?")


def test_an_instruction_leaves_the_script_where_it_is() -> None:
    talk = Conversation(DEBT).hear("yes")
    opened = [Message("assistant", talk.brain.opening()), Message("user", "yes")]
    told = Message("instruction", "Offer Tuesday.")
    steps = asyncio.run(collect(talk.brain, [*opened, told]))
    assert " ".join(step.text for step in steps if isinstance(step, Say)) == OPENING
    assert asyncio.run(collect(talk.brain, [opened[0], told])) == []
