"""What the running agent says when anybody asks: its status, or why there is none."""

import asyncio
import dataclasses
import os
from collections.abc import Mapping
from typing import Any, Final

from cli.doctor.finding import Finding, Word, code, failed, passed, warned
from edge.config import Places
from edge.errors import QafilaError
from edge.i18n.catalogue import load
from edge.localapi.client import AgentUnreachable, connect

WITHIN_S: Final = 1.0
_NOT_FOR_US: Final = "not-for-this-user"


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """The agent's answer.

    Attributes:
        status: None when no agent answers.
        why: the code of why it does not.
    """

    status: Mapping[str, Any] | None
    why: str = ""

    @property
    def unlocked(self) -> bool:
        return self.status is not None and not self.status["locked"]

    @property
    def problem(self) -> str | None:
        """The code of what is wrong with the unit, as the agent sees it."""
        return None if self.status is None else self.status["problem"]


def ask(places: Places) -> Asked:
    """Ask the agent of this unit; at most a second."""

    async def once() -> dict[str, Any]:
        async with asyncio.timeout(WITHIN_S), connect(places.socket) as api:
            return await api.call("status", within_s=WITHIN_S)

    if not _may_be_asked(places):
        return Asked(None, _NOT_FOR_US)
    try:
        return Asked(asyncio.run(once()))
    except AgentUnreachable as error:
        return Asked(None, error.stable_code)
    except TimeoutError:
        return Asked(None, "agent-silent")
    except QafilaError as error:
        return Asked(None, error.stable_code)


def _may_be_asked(places: Places) -> bool:
    """Whether this user may use the agent's socket; one that is not there may be."""
    try:
        places.socket.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return os.access(places.socket, os.R_OK | os.W_OK)


def judge_agent(asked: Asked, version: str) -> list[Finding]:
    """Whether it runs, is of this version, and finds nothing wrong with the unit."""
    status = asked.status
    if status is None and asked.why == "agent-unreachable":
        return [failed("agent", "No agent runs here: nothing is measured.", "Start it: qafila agent.")]
    if status is None:
        return [
            warned(
                "agent",
                "Not known: this user may not ask it, or it does not answer ({code}).",
                "Run it as root or as a user of its group; if that does not help look at its log.",
                code=Word(asked.why) if asked.why == _NOT_FOR_US else code(asked.why),
            )
        ]
    if problem := status["problem"]:
        sentence, step = load("en").error(problem, "The agent finds something wrong.", "Look at its log.")
        said = {"sentence": Word(sentence), "step": Word(step), "code": code(problem)}
        return [failed("agent", "{sentence} ({code})", "{step}", **said)]
    if status["version"] != version:
        return [
            warned(
                "agent",
                "It runs in version {runs}, installed is {version}.",
                "Restart it between two visits.",
                runs=Word(status["version"]),
                version=Word(version),
            )
        ]
    lock = "locked" if status["locked"] else "unlocked"
    return [passed("agent", "It runs, and is {lock}.", lock=Word(lock))]
