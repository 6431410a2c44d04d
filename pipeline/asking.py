"""Questions of our own to a language model, answered in JSON of a given shape."""

import json
from collections.abc import Sequence
from typing import Any

from jsonschema import Draft202012Validator

from pipeline.errors import AnswerInvalid
from pipeline.grammar import Schema, gbnf
from pipeline.ports import LanguageModel

ANSWER_TOKENS = 800


async def ask(
    model: LanguageModel, conversation: str, prompt: Sequence[tuple[str, str]], schema: Schema
) -> Any:
    """Ask once, outside any call's own conversation, and give back the JSON value.

    Raises AnswerInvalid when the answer does not fit (it was cut off, or the model takes no
    grammar), and whatever the model raises.
    """
    text = ""
    try:
        async for piece in model.generate(
            conversation, prompt, grammar=gbnf(schema), max_tokens=ANSWER_TOKENS, temperature=0.0
        ):
            text += piece
    finally:
        model.release(conversation)
    try:
        answer = json.loads(text)
    except ValueError as error:
        raise AnswerInvalid(f"the language model gave no JSON: {error}") from error
    if not Draft202012Validator(schema).is_valid(answer):
        raise AnswerInvalid("the language model's answer does not fit what was asked for")
    return answer
