"""What can go wrong in a conversation, beside its engines.

RuntimeError
└── PipelineError
    ├── ToolInvalid      a tool's definition cannot be used, or a call does not fit it
    └── AnswerInvalid    a language model's answer to a question of ours cannot be used
"""


class PipelineError(RuntimeError):
    """Something in the conversation cannot be used."""


class ToolInvalid(PipelineError):
    """A tool's definition, or a call of a tool; the message says where and why."""


class AnswerInvalid(PipelineError):
    """A language model was asked for JSON and gave something that is none, or not ours."""
