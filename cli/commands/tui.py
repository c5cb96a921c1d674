"""`qafila tui`: the nurse's screen."""

from typing import Annotated

import typer

from cli.options import Home


def register(app: typer.Typer) -> None:
    @app.command("tui", epilog="Example: qafila tui --home ~/van-07 --language en")
    def tui(  # pyright: ignore[reportUnusedFunction]  # typer keeps it
        home: Home = None,
        language: Annotated[
            str | None,
            typer.Option(
                envvar="QAFILA_LANGUAGE",
                help="fr, ar or en. Without it what the configuration says.",
                metavar="LANGUAGE",
                show_default=False,
            ),
        ] = None,
        glyphs: Annotated[
            str | None,
            typer.Option(
                envvar="QAFILA_GLYPHS",
                help="What the terminal's font has: braille, box (lines, no braille) or ascii. "
                "Without it the kind of terminal decides.",
                metavar="LEVEL",
                show_default=False,
            ),
        ] = None,
        sign_in_fd: Annotated[
            int | None,
            typer.Option(hidden=True, help="A descriptor with user and PIN, a line each; training only."),
        ] = None,
        no_waves: Annotated[
            bool, typer.Option("--no-waves", help="No live waves: for a slow line from afar.")
        ] = False,
    ) -> None:
        """Open the screen: sign in, choose a patient, measure. A training unit gets its agent too."""
        from cli.output import USAGE_EXIT, fail
        from cli.screen import configured_language, handed_over, open_screen
        from edge.config import Places
        from edge.errors import QafilaError
        from edge.i18n.catalogue import LANGUAGES

        for value, known, option in (
            (language, (None, *LANGUAGES), "--language"),
            (glyphs, (None, "braille", "box", "ascii"), "--glyphs"),
        ):
            if value not in known:
                choices = ", ".join(word for word in known if word)
                fail(
                    QafilaError(
                        f"{option} cannot be {value}.",
                        next_step=f"Choose one of {choices}.",
                        code="option-refused",
                    ),
                    exit_status=USAGE_EXIT,
                )
        open_screen(
            Places.at(home),
            home=home,
            language=language or configured_language(Places.at(home)),
            glyphs=glyphs,
            waves=not no_waves,
            person=None if sign_in_fd is None else handed_over(Places.at(home), sign_in_fd),
        )
