"""The broker of last resort: amqtt in a process of its own, where no Mosquitto is installed.

``python -m cli.rehearsal.embedded_broker --port N`` listens on loopback, takes anybody, keeps everything
in memory and speaks MQTT 3.1.1 only: a kill loses whatever it had acknowledged. It says one JSON line
when it is ready and nothing else. For training and tests; amqtt comes with the extra ``training``.
"""

import argparse
import asyncio
import json
import logging
import signal

from amqtt.broker import Broker


async def _run(port: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    broker = Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        }
    )
    await broker.start()
    print(json.dumps({"event": "ready", "port": port}), flush=True)
    await stop.wait()
    await broker.shutdown()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m cli.rehearsal.embedded_broker", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="the port on loopback to listen on")
    logging.disable(logging.CRITICAL)  # amqtt narrates every packet, and its own shutdown as errors
    asyncio.run(_run(parser.parse_args().port))


if __name__ == "__main__":
    main()
