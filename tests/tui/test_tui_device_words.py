"""Every code with which a driver of ours can end has a sentence and a next step, in every language."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from edge.agent.supervisor import ENDED, NO_WAY
from edge.i18n.catalogue import LANGUAGES, load
from tests.tui.tui_stage import app, in_order, settled, text
from tests.tui.tui_world import FakeAgent, device

ROOT: Final = Path(__file__).resolve().parents[2]
OF_DRIVERS: Final = (
    "drivers/codec", "drivers/devices", "drivers/setup", "drivers/transport", "drivers/contained.py",
    "drivers/offered.py", "edge/ports/driver.py", "cli/workshop.py", "cli/radio_on_demand.py",
)  # fmt: skip


def modules() -> Iterator[ast.Module]:
    for place in OF_DRIVERS:
        path = ROOT / place
        for file in [path] if path.is_file() else sorted(path.rglob("*.py")):
            if file.name not in {"simulator.py", "unit.py"}:
                yield ast.parse(file.read_text(encoding="utf-8"))


def constants(of: list[ast.Module]) -> dict[str, set[str]]:
    """What module constants of a name are; several modules may have one of that name."""
    found: dict[str, set[str]] = {}
    for module in of:
        for node in module.body:
            target, value = getattr(node, "target", None), getattr(node, "value", None)
            if isinstance(target, ast.Name) and isinstance(value, ast.Constant):
                found.setdefault(target.id, set()).add(str(value.value))
    return found


def places_of_code(module: ast.Module) -> dict[str, int]:
    """Where each function of a module takes ``code``; a step refuses with its second word."""
    taking = {"Refuse": 1}
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef):
            names = [each.arg for each in node.args.args if each.arg != "self"]
            if "code" in names:
                taking[node.name] = names.index("code")
    return taking


def given(module: ast.Module) -> Iterator[ast.expr | None]:
    """Every expression that is given as the code of an error."""
    taking = places_of_code(module)
    for node in ast.walk(module):
        if isinstance(node, ast.Call):
            yield from (each.value for each in node.keywords if each.arg == "code")
            place = taking.get(getattr(node.func, "id", ""))
            if place is not None and len(node.args) > place:
                yield node.args[place]
        elif isinstance(node, ast.AnnAssign) and getattr(node.target, "id", "") == "code":
            yield node.value


def codes() -> set[str]:
    all_modules = list(modules())
    named, found = constants(all_modules), set[str]()
    for module in all_modules:
        for value in given(module):
            if isinstance(value, ast.Constant) and isinstance(value.value, str) and value.value:
                found.add(value.value)
            elif isinstance(value, ast.Name):
                own = constants([module])
                found |= own.get(value.id) or named.get(value.id, set())
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_code_of_a_driver_has_a_sentence_and_a_next_step(language: str) -> None:
    catalogue, found = load(language), codes() | NO_WAY
    assert found > {
        "bond-lost",
        "device-gone",
        "measurement-stopped",
        "model-not-supported",
        "records-timeout",
        "bad-length",
    }
    assert len(found) > 60
    missing = {
        code for code in found if not catalogue.codes >= {f"error.{code}.sentence", f"error.{code}.next"}
    }
    assert missing == set()


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_page_of_the_devices_says_them_in_words(language: str) -> None:
    told = sorted(codes() - {ENDED})[::6]
    catalogue, agent = load(language), FakeAgent()
    agent.devices = tuple(
        device(f"d-{n}", "sig-bp").model_copy(update={"state": "gone", "code": code})
        for n, code in enumerate(told)
    )
    async with app(agent, language=language).run_test(size=(240, 70)) as pilot:
        await settled(pilot)
        await pilot.press("f6")
        await settled(pilot)
        shown = " ".join(text(pilot).split())
    for code in told:
        sentence = in_order(" ".join(catalogue(f"error.{code}.sentence").split()), language)
        assert sentence.strip() in shown, code
