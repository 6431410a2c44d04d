"""How a conversation is written down for a language model: its own template, or a plain one."""

from collections.abc import Sequence
from typing import Any

Prompt = Sequence[tuple[str, str]]


class ChatFormat:
    """Renders (role, content) pairs. `stop`: text that ends a reply, besides the model's own."""

    def __init__(self, template: str | None) -> None:
        self.stop = "" if template else "\n"
        self._template: Any = None
        if template:
            from llama_cpp.llama_chat_format import Jinja2ChatFormatter  # heavy: child only

            self._formatter = Jinja2ChatFormatter
            self._template = template

    def render(self, prompt: Prompt, *, reply: bool) -> str:
        """Write a prompt down. reply: also begin the assistant's next turn."""
        if not self._template:
            return _plain(prompt, reply)
        try:
            return self._apply(prompt, reply)
        except Exception:  # templates raise whatever they like, often on the system role
            return self._apply(_without_system(prompt), reply)

    def _apply(self, prompt: Prompt, reply: bool) -> str:
        # The beginning-of-text token is left to the tokenizer, which knows whether to add it.
        formatter = self._formatter(self._template, "", "", add_generation_prompt=reply)
        messages: Any = [{"role": role, "content": content} for role, content in prompt]
        text: str = formatter(messages=messages).prompt
        return text


def _plain(prompt: Prompt, reply: bool) -> str:
    lines = [c if role == "system" else f"{role.title()}: {c}" for role, c in prompt]
    return "\n".join([*lines, "Assistant:"] if reply else [*lines, ""])


def _without_system(prompt: Prompt) -> list[tuple[str, str]]:
    """Put system text in front of the first thing the user says."""
    system = "\n".join(content for role, content in prompt if role == "system")
    rest = [(role, content) for role, content in prompt if role != "system"]
    if rest and rest[0][0] == "user":
        return [("user", f"{system}\n\n{rest[0][1]}"), *rest[1:]]
    return [("user", system), *rest]
