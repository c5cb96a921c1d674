"""What a rule says of a visit, in words: the number, what is missing, what each input gives. Pure."""

from collections.abc import Sequence

from edge.localapi.shapes import ScoreShown
from tui import theme
from tui.hub import Hub
from tui.widgets.flow import Part

_GRAVE = frozenset({"high", "alert", "trigger"})
_MIDDLE = frozenset({"medium", "low-medium"})
_BOLD = f"bold {theme.WHITE}"
_ALARM = f"bold {theme.WHITE} on {theme.ALARM}"
_NOTICE = f"bold {theme.NOTICE}"
_POINTS = {"red": 3, "yellow": 1, "none": 0}


def is_over(score: ScoreShown, wall_ms: int | None) -> bool:
    """Whether an input has become too old since the agent said it."""
    return score.until_ms is not None and (wall_ms is None or wall_ms > score.until_ms)


def headline(score: ScoreShown, hub: Hub, *, over: bool) -> Part:
    """The rule with its number, or that there is none."""
    say = hub.say
    name = say(f"vital.{score.rule}")
    if over:
        return Part(f"{name} -- {say('score.over')}", theme.GREY)
    if score.total is None and score.trigger is None:
        return Part(f"{name} -- {say('score.incomplete')}", _NOTICE)
    number = "" if score.total is None else f" {score.total}"
    style = _ALARM if score.band in _GRAVE else _NOTICE if score.band in _MIDDLE else _BOLD
    return Part(f"{name}{number} {say(f'score.band.{score.band}')}", style)


def lacking(score: ScoreShown, hub: Hub) -> Part | None:
    """What the rule needs and has not."""
    if not score.missing:
        return None
    say = hub.say
    old = f" ({say('score.old')})"
    named = [say(f"score.part.{name}") + (old if name in score.stale else "") for name in score.missing]
    return Part(say("score.missing", what=", ".join(named)), _NOTICE)


def alerts(score: ScoreShown, hub: Hub) -> list[Part]:
    """What is told whatever is missing."""
    return [
        Part(f"▲ {hub.say(f'score.alert.{alert}')}", _ALARM)
        for alert in score.alerts
        if f"score.alert.{alert}" in hub.say.codes
    ]


def points(score: ScoreShown, hub: Hub) -> list[Part]:
    """What each input gives."""
    say = hub.say
    made: list[Part] = []
    for name, given in score.parts.items():
        weight = given if isinstance(given, int) else _POINTS.get(given, 0)
        words = str(given) if isinstance(given, int) else say(f"score.colour.{given}")
        style = _ALARM if weight >= 3 else _NOTICE if weight else theme.LABEL
        made.append(Part(f"{say(f'score.part.{name}')} {words}", style))
    return made


def lines_of(
    scores: Sequence[ScoreShown], hub: Hub, *, asks_pregnancy: bool, wall_ms: int | None, whole: bool
) -> list[Part]:
    """All of it, the gravest first; ``whole`` with what each input gives."""
    made: list[Part] = []
    for score in scores:
        over = is_over(score, wall_ms)
        made.append(headline(score, hub, over=over))
        if over:
            continue
        made += alerts(score, hub)
        lack = lacking(score, hub)
        made += [lack] if lack is not None else []
        if whole:
            made += points(score, hub)
    if asks_pregnancy:
        made.append(Part(hub.say("score.ask-pregnancy"), _NOTICE))
    return made
