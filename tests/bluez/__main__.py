"""``make test-bluez``: the real bluetoothd and the real kernel Bluetooth against our transport and drivers.

Everything it needs comes as Debian packages into the environment's folder; what cannot be had is a
failure that says so. Emulated without hardware help, so its times say nothing about a real box.
"""

import argparse
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

from tests.bluez.guest import ROOT, Ended, run
from tests.bluez.parts import DEFAULT_KERNEL, PartMissing, Parts


def main() -> None:
    """Run the guest once and tell what passed."""
    parser = argparse.ArgumentParser(prog="tests.bluez", description="Chain A: real BlueZ in a guest.")
    parser.add_argument("--timeout", type=float, default=420.0, help="seconds until it is switched off")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "bluez", help="where its logs go")
    parser.add_argument("--kernel", default=DEFAULT_KERNEL, help="Debian package of another kernel")
    parser.add_argument("--pytest", default="", help="more words for pytest, such as --pytest=-kbond")
    asked = parser.parse_args()
    try:
        parts = Parts.bring(asked.kernel)
        ended = run(parts, asked.out.resolve(), timeout_s=asked.timeout, pytest_words=asked.pytest)
    except PartMissing as error:
        sys.exit(f"{error} (code: bluez-part-missing)")
    passed, said = verdict(ended)
    told = (
        f"{'passed' if passed else 'FAILED'}: {said}, {ended.seconds:.0f} s in all. Logs: {shown(ended.out)}"
    )
    sys.stdout.write("\n".join((told, *parts.versions, "")))
    sys.exit(0 if passed else 1)


def shown(path: Path) -> Path:
    """Without where this checkout happens to lie."""
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def verdict(ended: Ended) -> tuple[bool, str]:
    """Whether every test in the guest ran and passed; a guest that never came to them has failed."""
    report = ended.out / "junit.xml"
    if ended.timed_out or not report.exists():
        return (
            False,
            "switched off at its time-out" if ended.timed_out else "the guest never came to the tests",
        )
    suite = ET.parse(report).getroot().find("testsuite")  # noqa: S314  written by our own pytest a moment ago
    assert suite is not None
    tests, bad = (
        int(suite.get("tests", 0)),
        sum(int(suite.get(word, 0)) for word in ("failures", "errors", "skipped")),
    )
    return tests > 0 and bad == 0, f"{tests - bad} of {tests} tests passed"


if __name__ == "__main__":
    main()
