"""How a file is refused inside the child; the agent gives the sentence."""


class Refused(Exception):
    """The file is not taken.

    Attributes:
        code: a key of `edge.attachments.limits.SENTENCES`.
    """

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code
