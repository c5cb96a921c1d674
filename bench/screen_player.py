"""The screen under measurement: the real application on a made-up agent that sends as devices do."""

import asyncio
import sys


def play(*, waves: bool) -> None:
    """Run the capture screen with ECG at 130 Hz in bursts of 73 and pleth at 60 Hz in threes."""
    from tests.tui.tui_stage import app
    from tests.tui.tui_world import FakeAgent, ecg, pleth, reading, wave

    agent = FakeAgent()
    screen = app(agent)
    screen.hub.waves = waves
    import time

    screen.hub.now_s = time.monotonic

    async def feed() -> None:
        strap = finger = 0
        begun = time.monotonic()
        while True:
            await asyncio.sleep(0.05)
            now_s = time.monotonic() - begun
            while strap + 73 <= now_s * 130:
                agent.say(wave("ecg", ecg(73, strap), "130"))
                strap += 73
            due = int(now_s * 60) - finger
            agent.say(wave("pleth", pleth(due, finger), "60"))
            if int(now_s) != int(now_s - 0.05):
                agent.beat()
                agent.say(reading("oximeter-1", {"spo2": "97", "pulse.spo2": str(70 + int(now_s) % 7)}))
                agent.say(reading("strap-1", {"hr": str(70 + int(now_s) % 5)}))
            finger += due

    def feed_too() -> None:
        screen.run_worker(feed(), name="devices")

    screen.call_later(feed_too)
    screen.run(mouse=False)
    sys.exit(screen.return_code or 0)
