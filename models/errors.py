"""What can go wrong with an engine.

RuntimeError
└── EngineError          anything an engine could not do
    ├── EngineMissing    its library or weights are not on this machine; says how to get them
    ├── EngineCorrupt    its files are there and cannot be loaded
    ├── EngineLost       its process ended, or is not running
    ├── EngineBusy       its queue or its memory is full; try again later
    └── NotOffered       it has no such voice, speed or language (a ValueError too)
"""


class EngineError(RuntimeError):
    """An engine could not do what was asked."""


class EngineMissing(EngineError):
    """A library or a weights file is not on this machine; the message says how to get it."""


class EngineCorrupt(EngineError):
    """A weights file is there and cannot be loaded."""


class EngineLost(EngineError):
    """The engine's process ended before it answered, or is not running."""


class EngineBusy(EngineError):
    """The engine's queue or memory is full."""


class NotOffered(EngineError, ValueError):
    """A call asks for a voice, a speed or a language that the engine does not have."""


def error_of(kind: str, message: str) -> EngineError:
    """Rebuild an error of this tree from its class name; an unknown name gives EngineError."""
    kinds = {error.__name__: error for error in EngineError.__subclasses__()}
    return kinds.get(kind, EngineError)(message)
