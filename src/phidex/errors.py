"""The exceptions Phidex raises, by what the caller should do about them.

    PhidexError                 every error of ours; carries a `hint` with the cure
    ├── InputError              the file, question or argument is at fault: mend the input
    │   └── NotFoundError       no such collection, source or file
    ├── ConfigError             a setting or a missing optional part is at fault: mend the set-up
    ├── BudgetError             it does not fit the token budget: ask for less, or allow more
    └── ServiceError            Qdrant, the store's process or a model server: see `retryable`
        └── IncompleteAnswerError   a model began to answer and did not finish: see `partial`

Third-party exceptions are translated once, in the module that owns the engine.
"""

from __future__ import annotations


class PhidexError(Exception):
    """Base of every error of Phidex.

    Args:
        message: what went wrong, in one sentence.
        hint: what to do about it; empty where nothing can be done.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class InputError(PhidexError):
    """The input (a file, a question, an argument) is at fault."""


class NotFoundError(InputError):
    """The named collection, source or file does not exist."""


class ConfigError(PhidexError):
    """A setting is wrong, or an optional part that it needs is not installed."""


class BudgetError(PhidexError):
    """The request does not fit its token budget."""


class ServiceError(PhidexError):
    """Qdrant, the embedded engine or a model server failed.

    Args:
        retryable: whether the same call may succeed later.
    """

    def __init__(self, message: str, *, hint: str = "", retryable: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.retryable = retryable


class IncompleteAnswerError(ServiceError):
    """A model server took the question and its answer did not arrive whole.

    Args:
        partial: the text that arrived, possibly empty; it must not be shown as an answer without saying so.
    """

    def __init__(self, message: str, *, partial: str = "", hint: str = "", retryable: bool = True) -> None:
        super().__init__(message, hint=hint, retryable=retryable)
        self.partial = partial
