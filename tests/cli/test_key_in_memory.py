"""A planted key, searched for wherever a running agent could leave it: its memory is the only place."""

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge.clock import SystemClock
from edge.config import Places, write_initial
from edge.localapi.client import AgentUnreachable, connect
from edge.ports.caller import CallRefused
from edge.security import device_secret, slots
from edge.security.process import swap_is_on
from edge.store.store import Store
from sync.wire import enrolment

KEY = bytes.fromhex("c0ffee5eed5eed00a11ceb0bdeadbeef0123456789abcdef5a5aa5a5c3c33c3c")
PIN = "482913"
SPELLINGS = (KEY, KEY.hex().encode(), KEY.hex().upper().encode())


def spelt(content: bytes) -> bool:
    return any(spelling in content for spelling in SPELLINGS)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    places = Places.at(tmp_path)
    for folder in (places.store, places.spool_out, places.spool_in, places.pinned):
        folder.mkdir(parents=True)
    store = Store.create(places.database, KEY, unit="van-07", realm="training", moment=SystemClock().now())
    identity = store.identity()
    store.close()
    slots.create(
        places.slots, unit="van-07", user="amina", name="Amina", role="supervisor", pin=PIN, key=KEY,
        device_secret=device_secret.make(places.device_secret),
    )  # fmt: skip
    request = enrolment.make_request("van-07", "training", identity.sign_private, identity.recv_public, 0)
    (places.pinned / "request.cbor").write_bytes(request)
    write_initial(places, "van-07", "training")
    return tmp_path


@contextmanager
def agent(home: Path) -> Iterator["subprocess.Popen[bytes]"]:
    log = (home / "log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "agent", "--home", str(home), "--json"], stderr=log, stdout=log
    )
    try:
        give_up = time.monotonic() + 60
        while not Places.at(home).socket.exists() and time.monotonic() < give_up:
            time.sleep(0.05)
        yield process
    finally:
        process.terminate()
        process.wait(60)
        log.close()


async def work(home: Path) -> None:
    """Sign in, be refused, add somebody, work, cause a few errors."""
    async with connect(Places.at(home).socket) as api:
        await api.call("sign-in", user="amina", pin=PIN)
        answer = await api.call("patient.register", family="Benali", given="Zahra", sex="female")
        await api.call("encounter.open", patient=answer["patient"])
        await api.call("users.add", user="sami", name="Sami", role="nurse", pin="739154")
        for method, name in (("users.disable", "user"), ("take", "device")):
            with pytest.raises(CallRefused) as refused:
                await api.call(method, request_id=None, **{name: "nobody"})  # type: ignore[arg-type]  # a field
            assert not spelt(repr(refused.value).encode())


def test_the_key_is_nowhere_but_in_the_agents_memory(home: Path) -> None:
    with agent(home) as process:
        asyncio.run(work(home))
        proc = Path("/proc") / str(process.pid)
        if os.geteuid() == 0:  # to anybody else they are closed
            assert not spelt((proc / "environ").read_bytes())
        assert not spelt((proc / "cmdline").read_bytes())
        assert proc.joinpath("environ").stat().st_uid == 0, "this process is root's to look at"
        limits = (proc / "limits").read_text()
        core = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
        assert core.split()[4:6] == ["0", "0"]
        if os.geteuid() == 0:
            assert in_memory(process.pid), "the search finds the key where it is"
        found = [path for path in home.rglob("*") if path.is_file() and spelt(path.read_bytes())]
        assert found == []
    log = (home / "log").read_bytes()
    assert b"signed in" in log
    assert not spelt(log)
    assert PIN.encode() not in log


def in_memory(pid: int) -> bool:
    """Whether the key stands in the memory of a process; read piece by piece, as a debugger would."""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:  # noqa: PTH123  no file
        for line in maps:
            span, rights = line.split()[:2]
            if "r" not in rights or line.rstrip().endswith(("[vvar]", "[vsyscall]", "[vvar_vclock]")):
                continue
            start, end = (int(part, 16) for part in span.split("-"))
            try:
                memory.seek(start)
                if spelt(memory.read(end - start)):
                    return True
            except (OSError, OverflowError, ValueError):
                continue
    return False


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may look into a hardened process")
def test_an_agent_that_was_never_unlocked_knows_no_key(home: Path) -> None:
    with agent(home) as process:
        assert not in_memory(process.pid)
        if (gcore := shutil.which("gcore")) is not None:
            subprocess.run(
                [gcore, "-o", str(home / "core"), str(process.pid)], check=True, capture_output=True
            )
            [dump] = home.glob("core.*")
            content = dump.read_bytes()
            dump.unlink()
            assert b"qafila" in content
            assert not spelt(content)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may look into a hardened process")
def test_an_agent_whose_store_was_locked_knows_neither_key_nor_patient(home: Path) -> None:
    """It begins anew: same process, same socket, and the memory of before given back."""
    with agent(home) as process:
        asyncio.run(work(home))
        assert in_memory(process.pid), "the search finds the key where it is"
        socket = Places.at(home).socket.stat().st_ino
        give_up = time.monotonic() + 60
        asyncio.run(lock(home))
        while in_memory(process.pid) and time.monotonic() < give_up:
            asyncio.run(still_answers(home))
        assert not in_memory(process.pid)
        assert process.poll() is None
        assert Places.at(home).socket.stat().st_ino == socket
        asyncio.run(lock(home))
        assert in_memory(process.pid), "it was opened again"
    assert not Places.at(home).socket.exists()


async def lock(home: Path) -> None:
    async with connect(Places.at(home).socket) as api:
        await api.call("sign-in", user="amina", pin=PIN)
        assert await api.call("lock") == {}


async def still_answers(home: Path) -> None:
    async with connect(Places.at(home).socket) as api:
        with contextlib.suppress(AgentUnreachable):  # it was answered by nobody, or by the one who comes
            assert (await api.call("status"))["unit"] == "van-07"


def test_swap_that_goes_to_a_disk_is_said(tmp_path: Path) -> None:
    table = tmp_path / "swaps"
    head = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
    for text, on in (
        (head, False),
        (head + "/dev/zram0 partition 100 0 100\n", False),
        (head + "/var/swap file 102396 0 -2\n", True),
        (head + "/dev/zram0 partition 100 0 100\n/dev/mmcblk0p3 partition 100 0 -2\n", True),
    ):
        table.write_text(text)
        assert swap_is_on(table) is on
    assert not swap_is_on(tmp_path / "missing")


def test_no_key_in_what_a_fault_prints(home: Path) -> None:
    """A bug in the midst of unlocking: what the command prints names places in the code and no values."""
    program = (
        "import sys, cli.main\n"
        "import edge.store.connection as c\n"
        "def fault(*a, **k): raise RuntimeError(a, k)\n"
        "c.key_fits = fault\n"
        "words = 'qafila store verify --user amina --pin-stdin --json --home'\n"
        "sys.argv = [*words.split(), sys.argv[1]]\n"
        "cli.main.run()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(home)],
        input=f"{PIN}\n".encode(),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 70, done.stderr
    assert json.loads(done.stdout)["error"]["code"] == "internal"
    assert b"RuntimeError" in done.stderr
    assert not spelt(done.stdout + done.stderr)
    assert b"\\xc0\\xff" not in done.stdout + done.stderr
    assert PIN.encode() not in done.stdout + done.stderr
