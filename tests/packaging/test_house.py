"""Does the house still tell the truth about itself?"""

import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OURS = ("edge", "drivers", "sync", "tui", "cli")


def _committed() -> list[Path]:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True)  # noqa: S607  git is on PATH where this is a checkout
    return [path for name in listing.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def _text(path: Path) -> str:
    return path.read_bytes().decode("utf-8", errors="ignore")


def test_no_other_distribution_provides_our_packages() -> None:
    owners = metadata.packages_distributions()
    for package in OURS:
        assert set(owners.get(package, ["qafila"])) == {"qafila"}


def test_version_is_one() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    released = re.search(r"^## \[([^\]]+)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert released is not None
    assert released[1] == version == metadata.version("qafila")


def test_every_requirement_is_hashed() -> None:
    for path in (ROOT / "requirements").glob("*.txt"):
        for block in re.split(r"\n(?=\S)", path.read_text()):
            assert "--hash=sha256:" in block, f"{path.name}: {block.splitlines()[0]}"


@pytest.mark.parametrize(
    ("what", "pattern"),
    [
        ("a registry's address", r"https?://[^\s)\"']*/simple\b|index-url\s*=?\s*https?:|py" + r"pi\.org"),
        ("a path of somebody's machine", r"(?<![\w.~-])/(?:root|home/\w+|work)/"),
    ],
)
def test_no_committed_file_names(what: str, pattern: str) -> None:
    found = [
        path.relative_to(ROOT)
        for path in _committed()
        if path != Path(__file__) and re.search(pattern, _text(path))
    ]
    assert not found, f"{what} in {found}"


def test_a_word_for_every_command_and_an_example_for_each() -> None:
    """Each command's help has a sentence and an example, as a technician reads it."""
    import typer.main

    from cli.main import build

    def leaves(command: object, words: list[str]) -> list[tuple[list[str], object]]:
        inner = getattr(command, "commands", None)
        if inner is None:
            return [(words, command)]
        return [leaf for word, child in inner.items() for leaf in leaves(child, [*words, word])]

    commands = leaves(typer.main.get_command(build([])), [])
    assert len(commands) > 15
    for words, command in commands:
        name = " ".join(words)
        assert getattr(command, "help", None), f"{name} has no help"
        assert "Example:" in (getattr(command, "epilog", None) or ""), f"{name} has no example"


@pytest.mark.parametrize(
    ("module", "must_not_load"),
    [
        (
            "sync.uplink",
            ["edge.store", "edge.security", "edge.agent", "sqlcipher3", "pydantic", "typer", "serial"],
        ),
        (
            "sync.uplink.est",
            [
                "edge.store",
                "edge.security",
                "edge.agent",
                "sqlcipher3",
                "pydantic",
                "typer",
                "serial",
                "paho",
            ],
        ),
        (
            "cli.main",
            ["cryptography", "paho", "sqlcipher3", "pydantic", "serial", "edge.agent", "sync.central"],
        ),
        ("cli.asking", ["cryptography", "sqlcipher3", "edge.store", "edge.agent", "edge.security"]),
        ("edge.agent.service", ["pydantic", "typer", "paho", "sync", "drivers", "numpy", "anthro"]),
        ("cli.wiring", ["numpy", "anthro", "textual"]),
        ("sync.central", ["edge.store", "edge.security", "edge.agent", "pydantic"]),
    ],
)
def test_what_a_process_never_loads(module: str, must_not_load: list[str]) -> None:
    program = f"import sys, {module}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=True, text=True
    ).stdout.split()
    assert [name for name in must_not_load if name in loaded] == []


def test_the_check_runs_every_test_of_whole_processes() -> None:
    """The check names the files of ``tests/system`` by their first word."""
    words = set(
        re.findall(
            r'"(\w+)"', "".join(re.findall(r"_system\(([^)]*)\)", (ROOT / ".ci" / "check.py").read_text()))
        )
    )
    files = [path.stem.split("_")[1] for path in (ROOT / "tests" / "system").glob("test_*.py")]
    assert files
    assert set(files) <= words
    elsewhere = [
        path.relative_to(ROOT)
        for path in (ROOT / "tests").rglob("test_*.py")
        if re.search(r"mark\.system", path.read_text()) and path.parent.name not in {"system", "tui"}
    ]
    assert not elsewhere, "tests of whole processes that no part of the check would run"
