"""A line to type in that takes every key in the order in which it came."""

from typing import Final

from textual import events
from textual.binding import Binding
from textual.reactive import reactive
from textual.widgets import Input

_EDITS: Final = {
    key: binding.action
    for binding in Input.BINDINGS
    if isinstance(binding, Binding) and binding.action != "submit"
    for key in binding.key.split(",")
}
"""What Textual's own line does with keys that are no letters; Enter belongs to the screen."""


class Line(Input):
    """Textual's line, for people who type ahead.

    Textual takes a letter as soon as the line is handed the key, but looks for what backspace does only once
    the key has been handed on from the line to all that holds it, each of which has its turn. So backspaces
    that were typed before a letter deleted it, or what stood in another line, to which Enter had gone
    meanwhile. Here the line does both itself. Its cursor does not blink: nothing moves that means nothing.
    """

    cursor_blink = reactive(default=False, init=False)

    async def _on_key(self, event: events.Key) -> None:
        action = _EDITS.get(event.key)
        if action is not None:
            event.stop()
            event.prevent_default()
            await self.run_action(action)


class NumberLine(Line):
    """A line for a number: Space is the screen's."""

    def check_consume_key(self, key: str, character: str | None) -> bool:
        return key != "space" and super().check_consume_key(key, character)
