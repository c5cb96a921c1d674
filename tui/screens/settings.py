"""Language and characters of this screen; what is measured and stored does not change by it."""

from collections.abc import Sequence
from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message as TextualMessage
from textual.widgets import Static

from edge.i18n.catalogue import LANGUAGES, load
from tui.glyphs import Level
from tui.hub import Hub
from tui.screens.base import QafilaScreen, keys
from tui.widgets.choice import Choice
from tui.widgets.flow import content, flow

LEVELS: Final = (Level.BRAILLE, Level.BOX, Level.ASCII)


class SettingsScreen(QafilaScreen):
    """Digits choose, F12 has it hold from now on."""

    KEYS: ClassVar[Sequence[tuple[str, str]]] = (
        ("F12", "key.take"),
        ("↑↓", "key.field"),
        ("Esc", "key.back"),
        ("F1", "key.help"),
        ("F9", "key.lock"),
        ("F10", "key.menu"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        *keys(up="app.focus_previous", down="app.focus_next", enter="app.focus_next", f12="take"),
        *keys(escape="back", f1="app.help", f9="app.lock", f10="app.leave", f3="app.stop_cuff"),
        *[Binding(str(digit), f"digit({digit})", show=False, priority=True) for digit in range(1, 10)],
    ]
    DEFAULT_CSS: ClassVar[str] = """
    SettingsScreen #form { height: 1fr; padding: 0 1; }
    SettingsScreen #hint { height: auto; padding: 0 1; }
    """

    class Chosen(TextualMessage):
        """Somebody wants the screen in another language, or drawn with other characters."""

        def __init__(self, language: str, level: Level) -> None:
            super().__init__()
            self.language = language
            self.level = level

    def __init__(self, hub: Hub) -> None:
        super().__init__(hub)
        say = hub.say
        languages = [load(language)("language.name") for language in LANGUAGES]  # each in its own words
        self._language = Choice(say("settings.language"), languages, id="language")
        self._level = Choice(
            say("settings.glyphs"), [say(f"settings.{each}") for each in LEVELS], id="glyphs"
        )
        self._language.chosen = {LANGUAGES.index(say.language) + 1}
        self._level.chosen = {LEVELS.index(hub.level) + 1}

    def body(self) -> ComposeResult:
        with Vertical(id="form"):
            yield Static(self.hub.say("settings.title"), classes="title", markup=False)
            yield self._language
            yield self._level
            yield Static(f"\n{self.hub.say('settings.try')}\n⣀⣤⣶⣿ ⡇⢸   ─│╭╮   ◆✓●", markup=False)
            yield Static(f"\n{self.hub.say('settings.what')}", classes="label", markup=False)
        yield Static("", id="hint", classes="label", markup=False)

    def on_mount(self) -> None:
        self.set_focus(self._language)

    def on_descendant_focus(self) -> None:
        """Say what digits mean there."""
        if isinstance(self.focused, Choice):
            hint = content(flow(self.focused.hint(), max(20, self.app.size.width - 2)))
            self.query_one("#hint", Static).update(hint)

    def action_digit(self, digit: int) -> None:
        if isinstance(self.focused, Choice):
            self.focused.choose(digit)

    def action_take(self) -> None:
        language = LANGUAGES[(self._language.one or 1) - 1]
        self.post_message(self.Chosen(language, LEVELS[(self._level.one or 1) - 1]))

    def action_back(self) -> None:
        self.app.pop_screen()
