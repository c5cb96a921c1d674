"""A sheet on its way to paper: a real CUPS takes the very page, at its size."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge.reports import making

pytestmark = pytest.mark.system
CONFIG = """
Listen {home}/sock
LogLevel info
Browsing Off
WebInterface No
DefaultAuthType None
PreserveJobFiles Yes
<Location />
  Order allow,deny
  Allow all
</Location>
<Policy default>
  <Limit All>
    Order deny,allow
  </Limit>
</Policy>
"""
FILES = """
FileDevice Yes
ServerRoot {home}/root
RequestRoot {home}/spool
CacheDir {home}/cache
StateDir {home}/state
AccessLog {home}/access
ErrorLog {home}/error
PageLog {home}/page
Sandboxing relaxed
SystemGroup root
"""
PAGE = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"


@contextmanager
def printing_system(home: Path) -> Iterator[None]:
    """A CUPS of our own behind a Unix socket, with one printer that writes nowhere."""
    if os.geteuid() != 0 or shutil.which("cupsd") is None or shutil.which("lpadmin") is None:
        pytest.skip("a CUPS of one's own needs cups-daemon, cups-client and root")
    for name in ("root", "spool", "cache", "state"):
        (home / name).mkdir()
    (home / "cupsd.conf").write_text(CONFIG.format(home=home))
    (home / "files.conf").write_text(FILES.format(home=home))
    words = ["cupsd", "-f", "-c", str(home / "cupsd.conf"), "-s", str(home / "files.conf")]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as daemon:
        try:
            made = ["lpadmin", "-p", "van", "-E", "-v", "file:///dev/null", "-m", "raw"]
            deadline = time.monotonic() + 30
            while subprocess.run(made, capture_output=True, check=False).returncode:
                assert time.monotonic() < deadline, "no CUPS within 30 s"
                time.sleep(0.1)
            yield
        finally:
            daemon.terminate()


def test_the_page_is_in_the_queue_byte_for_byte_at_its_own_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{os.environ['PATH']}:/usr/sbin")
    monkeypatch.setenv("CUPS_SERVER", str(tmp_path / "sock"))
    with printing_system(tmp_path):
        making.send(PAGE, printer="van", paper="a5")
        with pytest.raises(making.PrinterRefused) as refused:
            making.send(PAGE, printer="nobody", paper="a5")
    assert refused.value.stable_code == "printer-refused"
    (printed,) = tmp_path.glob("spool/d*")
    assert printed.read_bytes() == PAGE
    (asked,) = (path.read_bytes() for path in tmp_path.glob("spool/c*"))
    assert b"print-scaling" in asked
    assert b"none" in asked
    assert b"A5" in asked or b"iso_a5" in asked


def test_without_a_printing_system_the_next_step_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(making.PrinterRefused) as refused:
        making.send(PAGE, printer=None, paper="a4")

    assert refused.value.stable_code == "printer-missing"
