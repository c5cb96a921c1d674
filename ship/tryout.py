"""The package and two updates, built and tried on a copy of this very system, without a network.

``python -m ship.tryout`` needs root, a Debian with systemd's tools and the Python that the release is for,
and some minutes. What is tried on lies above this system (overlayfs in a mount namespace of its own):
nothing of what is installed or made there stays. What it cannot try is a boot: no systemd is in charge there.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final
from unittest import mock

from cli.system import release
from ship import bill, deb, tree
from ship.tree import NotBuilt, Target

_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}
_PRIVATE: Final = b"\x07" * 32
_OUTER: Final = """\
set -e
mount -t tmpfs -o size=3g tmpfs "$1"
cd "$1"
mkdir upper work root given
cp "$2"/*.deb given/
cp "$2"/*.update "$2"/inner.sh given/
mount -t overlay overlay -o lowerdir=/,upperdir=upper,workdir=work root
mount --bind given root/mnt
mount -t proc proc root/proc
mount -t tmpfs tmpfs root/run
exec chroot root /bin/sh /mnt/inner.sh
"""
_INNER: Final = """\
unset QAFILA_HOME PYTHONUNBUFFERED
cd /mnt
ok() { if [ $? = 0 ]; then echo "ok $1"; else echo "FAILED $1"; fi; }
says() { [ "$(qafila system show --json | sed 's/.*"number": \\([0-9]*\\).*/\\1/')" = "$1" ]; }
refuses() { "$@" >said 2>&1 && return 1; grep -q "code: $code" said; }

dpkg -i first.deb >log 2>&1; ok "the package is installed without a network"
qafila version >log; ok "the program starts"
! id -nG qafila-uplink | tr ' ' '\\n' | grep -qx qafila; ok "the uplink is outside the group of the socket"
printf '482913\\n482913\\n' | qafila unit init --realm training --id van-07 --user fatima --pin-stdin >log
ok "a unit is made as root"
systemd-tmpfiles --create /etc/tmpfiles.d/qafila.conf
[ "$(stat -c %U /var/lib/qafila/store/qafila.db)" = qafila ]; ok "and its store becomes the agent's"
setpriv --reuid qafila --regid qafila --init-groups --no-new-privs --bounding-set=-all \\
    /opt/qafila/current/bin/qafila agent --json 2>agent.log &
agent=$!
for _ in $(seq 300); do [ -S /run/qafila/agent.sock ] && break; sleep 0.2; done
qafila status >log; ok "the agent runs as its user, without any capability"
! setpriv --reuid qafila-uplink --regid qafila-uplink --init-groups qafila status >log 2>&1
ok "the uplink's user is not answered"
! setpriv --reuid qafila-uplink --regid qafila-uplink --init-groups ls /var/lib/qafila/store >log 2>&1
ok "and sees nothing of the store"
code=update-unreadable; head -c 5000000 second.update >half; refuses qafila system update half
ok "half an update is refused"
qafila system update second.update >log && says 2; ok "an update is installed"
code=update-does-not-start; refuses qafila system update third.update && says 2
ok "one that is not what it says is refused"
code=update-older; refuses qafila system update second.update; ok "one that is not newer is refused"
qafila system rollback >log && says 1; ok "going back"
qafila system rollback >log && says 2; ok "and forward again"
dpkg -i first.deb >log 2>&1 && says 1; ok "the package over it"
kill $agent; wait $agent
dpkg -P qafila >log 2>&1 && ! [ -e /opt/qafila ]; ok "the package is purged"
[ -s /var/lib/qafila/store/qafila.db ]; ok "and what the unit has kept is still there"
[ -z "$(ls /etc/systemd/system | grep qafila)" ]; ok "no unit of systemd is left"
"""


def main() -> int:
    if os.geteuid() != 0 or shutil.which("dpkg-deb") is None:
        print("It needs root and dpkg. Next: run it as root on a Debian. (code: not-here)", file=sys.stderr)
        return 1
    architecture = _ARCHITECTURES[os.uname().machine]
    target = Target(architecture, f"{sys.version_info.major}.{sys.version_info.minor}")
    with tempfile.TemporaryDirectory(prefix="qafila-tryout-") as folder:
        try:
            megabytes = _build(target, Path(folder))
        except (NotBuilt, bill.NotShipped) as refused:
            print(f"Not built: {refused}. (code: not-built)", file=sys.stderr)
            return 1
        lines = _try(Path(folder))
    failed = [line for line in lines if not line.startswith("ok ")]
    for line in lines:
        print(line)
    print(f"tryout: steps={len(lines)} failed={len(failed)} installed_mb={megabytes:.0f}")
    return 1 if failed or not lines else 0


def _build(target: Target, folder: Path) -> float:
    made, given = folder / "release", folder / "given"
    given.mkdir()
    public = deb.public_half(_PRIVATE)
    tree.build(target, made, [public])
    megabytes = deb.installed_kilobytes(made) / 1000
    deb.package(made, target, given).rename(given / "first.deb")
    said, own = tree.said(target), made / release.FILE
    for name, version, number in (("second", said["version"], 2), ("third", "9.9.9", 3)):
        other = {**said, "version": version, "number": number}
        own.write_text(json.dumps({**other, "keys": [public.hex()]}))
        with mock.patch.object(tree, "said", return_value=other):
            deb.update(made, target, given, _PRIVATE).rename(given / f"{name}.update")
    shutil.rmtree(made)
    return megabytes


def _try(folder: Path) -> list[str]:
    place = folder / "place"
    place.mkdir()
    (folder / "given" / "inner.sh").write_text(_INNER)
    words = [
        "unshare",
        "--mount",
        "--net",
        "/bin/sh",
        "-c",
        _OUTER,
        "tryout",
        str(place),
        str(folder / "given"),
    ]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=1800)
    lines = [line for line in done.stdout.splitlines() if line.startswith(("ok ", "FAILED "))]
    if done.returncode != 0:
        lines.append(f"FAILED the tryout itself: {done.stderr.strip()[-300:]}")
    return lines


if __name__ == "__main__":
    sys.exit(main())
