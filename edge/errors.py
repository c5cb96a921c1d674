"""The family of errors that people may see: one sentence, a stable code, the next step.

The sentence and the next step never carry patient data, a key or raw device bytes: they reach logs,
screens and support files. What was received stays on the error as an attribute, if it is needed at all.
"""

from typing import ClassVar


class QafilaError(Exception):
    """Something a person can act on.

    A subclass fixes its ``code``; where one class covers several cases, the code is given with the
    sentence. Codes are stable: logs, translations and scripts rely on them.
    """

    code: ClassVar[str] = "internal"

    def __init__(self, sentence: str, *, next_step: str = "", code: str | None = None) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.next_step = next_step
        self._code = code

    @property
    def stable_code(self) -> str:
        """The code of this very error: the one it was raised with, else its class's."""
        return self._code or type(self).code
