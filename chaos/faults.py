"""What breaks: each of these happens to a van or to its centre."""

import random
from enum import StrEnum
from typing import Final


class Fault(StrEnum):
    """One thing that breaks, and mends after a while."""

    KILL_AGENT = "agent killed"
    KILL_UPLINK = "uplink killed"
    KILL_BOX = "battery died: agent and uplink at once"
    KILL_BROKER = "broker killed, with what it had acknowledged"
    KILL_COLLECTOR = "collector killed"
    KILL_EXPLODER = "exploder killed"
    CUT_LINK = "link cut"
    BLACK_HOLE = "link swallows everything"
    LOSE_SPOOL = "half of the spool lost with a card check"
    LOSE_RECEIPTS = "receipts lost before they were read"
    HOSTILE_BROKER = "broker repeats, withholds, bends and invents"
    HOSTILE_UPLINK = "uplink in a stranger's hands"
    TIME_PASSES = "forty days pass at the centre: old values are purged"


WEIGHTS: Final = {
    Fault.KILL_AGENT: 5,
    Fault.KILL_UPLINK: 4,
    Fault.KILL_BOX: 2,
    Fault.KILL_BROKER: 3,
    Fault.KILL_COLLECTOR: 4,
    Fault.KILL_EXPLODER: 4,
    Fault.CUT_LINK: 4,
    Fault.BLACK_HOLE: 2,
    Fault.LOSE_SPOOL: 1,
    Fault.LOSE_RECEIPTS: 1,
    Fault.HOSTILE_BROKER: 2,
    Fault.HOSTILE_UPLINK: 2,
    Fault.TIME_PASSES: 2,
}
"""How often each comes, beside the others."""


def series(dice: random.Random, rounds: int) -> list[Fault]:
    """So many faults; every kind comes before any comes by chance, if there is room for all."""
    every = list(WEIGHTS)
    dice.shuffle(every)
    chosen = every[:rounds]
    if rounds > len(every):
        chosen += dice.choices(list(WEIGHTS), weights=list(WEIGHTS.values()), k=rounds - len(every))
    dice.shuffle(chosen)
    return chosen
