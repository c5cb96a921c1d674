"""A request and the end of a day, on a real unit in a real terminal."""

from tests.tui.test_tui_terminal import Box, box

__all__ = ["box"]


def test_a_question_is_asked_and_the_day_ends_with_a_closed_store(box: Box) -> None:
    box.open()
    box.sign_in()
    box.begin_visit()
    box.terminal.keys("F11")
    box.terminal.until("Demander l")
    box.terminal.keys("1", "2", "1")
    box.terminal.type("Douleur thoracique ?")
    box.terminal.keys("Enter")
    box.terminal.until("Envoyer cette demande")
    box.terminal.keys("Enter")
    box.terminal.until("Demande enregistr")
    box.terminal.keys("F12", "Enter")
    box.terminal.until("nouveau")
    box.terminal.keys("F11")
    box.terminal.until(lambda shown: "cardiologie, urgent" in shown and "PAS ENCORE PARTI" in shown)
    box.terminal.keys("F10", "5")
    box.terminal.until(
        lambda shown: "aucune visite ouverte" in shown and "questions sans réponse : 1" in shown
    )
    box.terminal.keys("F12", "Enter")
    box.terminal.until("ON PEUT ÉTEINDRE")
    box.terminal.keys("Enter")
    box.terminal.until("Code PIN")
    box.terminal.keys("F10")
    box.terminal.until("Quitter ?")
    box.terminal.keys("Enter")
    box.terminal.until("rc=0")
    assert box.terminal.sane()
