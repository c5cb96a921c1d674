"""``python -m sync.uplink --fd N`` reads its settings from file descriptor N and works until SIGTERM.

The settings are one JSON object; nothing about the unit stands in arguments or environment.
"""

import os
import sys
from typing import Final

from edge import logs
from edge.clock import SystemClock
from edge.errors import QafilaError
from sync.uplink.metrics import try_to_publish
from sync.uplink.service import Uplink
from sync.uplink.settings import SettingsRefused, parse

MOST_SETTINGS_BYTES: Final = 1024 * 1024


def _read_settings(arguments: list[str]) -> bytes:
    match arguments:
        case ["--fd", number, *_] if number.isdigit():
            with os.fdopen(int(number), "rb") as file:
                return file.read(MOST_SETTINGS_BYTES)
        case _:
            raise SettingsRefused(
                "The uplink is started with --fd N and reads its settings from there.",
                next_step="Use `qafila uplink`, which does it.",
            )


def _refuse(sentence: str, next_step: str, code: str) -> int:
    following = f" Next: {next_step}" if next_step else ""
    print(f"{sentence}{following} (code: {code})", file=sys.stderr)  # noqa: T201  a refusal is for people
    return 1


def main() -> int:
    logs.to_stderr("uplink", as_json="--json" in sys.argv)
    try:
        settings = parse(_read_settings(sys.argv[1:]))
    except QafilaError as refused:
        return _refuse(refused.sentence, refused.next_step, refused.stable_code)
    except OSError as error:
        return _refuse(f"The settings cannot be read: {error.strerror}.", "", SettingsRefused.code)
    clock = SystemClock()
    publisher = try_to_publish(settings, clock)
    try:
        anew = Uplink(settings, clock).run()
    finally:
        if publisher is not None:
            publisher.close()
    if anew and settings.again:
        os.execv(settings.again[0], settings.again)  # noqa: S606  a list, no shell
    return 0


if __name__ == "__main__":
    sys.exit(main())
