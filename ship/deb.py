"""The Debian package, and with a release key the update for units that are installed already.

``python -m ship.deb build --architecture arm64 --key release.key`` writes both, and
``python -m ship.deb key FILE`` makes a key for signing updates. The same tree gives the same bytes.
"""

import argparse
import io
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cli.system import release
from ship import bill, pins, tree
from ship.tree import NotBuilt, Target

ARCHITECTURES: Final = ("amd64", "arm64")
_EPOCH: Final = 1_577_836_800
"""2020-01-01, as hatchling has it: no time of a build is in what is built."""
_CONTROL: Final = """\
Package: qafila
Version: {version}
Architecture: {architecture}
Maintainer: The Qafila contributors <qafila@localhost>
Installed-Size: {kilobytes}
Depends: python3 (>= {python}~), python3 (<< {next}~), libc6 (>= 2.28), systemd (>= 252)
Recommends: bluez, kbd
Suggests: cage, foot, fonts-dejavu-core, mosquitto
Section: misc
Priority: optional
Description: software of a connected mobile medical unit
 Takes vitals, keeps them encrypted without a network, delivers them with proof.
 All Python packages are inside; nothing is downloaded when it is installed.
"""
SCRIPTS: Final = {
    # While dpkg replaces the files of the release that the machine starts, the machine starts a copy of them:
    # links to the same files, which cost no room. A cut at any moment leaves the copy or the link to it.
    "preinst": """\
#!/bin/sh
set -e
cd /opt/qafila 2>/dev/null || exit 0
if [ "$1" = upgrade ] && [ "$(readlink current)" = package ]; then
    slot=a; [ "$(readlink previous)" = a ] && slot=b
    rm -rf "kept.link" "$slot"
    cp -al package kept.link
    mv -T kept.link "$slot"
    ln -sfn "$slot" current.link
    mv -T current.link current
    sync
fi
""",
    "postinst": """\
#!/bin/sh
set -e
[ "$1" = configure ] || exit 0
cd /opt/qafila
if [ -L current ] && [ "$(readlink current)" != package ]; then
    ln -sfn "$(readlink current)" previous.link
    mv -T previous.link previous
fi
ln -sfn package current.link
mv -T current.link current
sync
for slot in a b; do
    [ "$(readlink previous)" = "$slot" ] || rm -rf "$slot"
done
package/bin/qafila system install
if [ -n "$2" ] && [ -d /run/systemd/system ]; then
    systemctl try-restart qafila-agent.service qafila-uplink.service qafila-kiosk.service || true
fi
""",
    "prerm": """\
#!/bin/sh
set -e
[ "$1" = remove ] || exit 0
/opt/qafila/package/bin/qafila system uninstall
""",
    # What a unit has kept is never removed with the program, not even by purge.
    "postrm": """\
#!/bin/sh
set -e
case "$1" in remove|purge) rm -rf /opt/qafila ;; esac
""",
}
"""What dpkg runs, with root's rights."""


def package(made: Path, target: Target, to: Path) -> Path:
    """The Debian package of a built tree; where it is."""
    root = made.with_name(f"{made.name}.deb")
    shutil.rmtree(root, ignore_errors=True)
    (root / "opt/qafila").mkdir(parents=True)
    shutil.copytree(made, root / "opt/qafila/package", symlinks=True)
    (root / "usr/bin").mkdir(parents=True)
    (root / "usr/bin/qafila").symlink_to("/opt/qafila/current/bin/qafila")
    (root / "usr/share/doc/qafila").mkdir(parents=True)
    shutil.copy(pins.ROOT / "LICENSE", root / "usr/share/doc/qafila/copyright")
    _write_control(root, target)
    _even_out(root)
    said = tree.said(target)
    path = to / f"qafila_{said['version']}_{target.architecture}.deb"
    words = ["dpkg-deb", "--root-owner-group", "--build", "-Zxz", "-z1", str(root), str(path)]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(_EPOCH)}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NotBuilt(f"dpkg-deb: {done.stderr.strip()}")
    shutil.rmtree(root)
    return path


def update(made: Path, target: Target, to: Path, private: bytes) -> Path:
    """The signed update of a built tree; where it is."""
    said = tree.said(target)
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:xz", preset=1, format=tarfile.GNU_FORMAT) as archive:
        for path in sorted(made.rglob("*")):
            if path.is_symlink():
                continue  # the one to the machine's Python is made where it is unpacked
            archive.add(path, str(path.relative_to(made)), recursive=False, filter=_plain)
    unpacked = sum(path.stat().st_size for path in made.rglob("*") if path.is_file())
    file = to / f"qafila-{said['version']}-{target.architecture}.update"
    file.write_bytes(release.write({**said, "unpacked": unpacked}, private, raw.getvalue()))
    return file


def installed_kilobytes(root: Path) -> int:
    """What it takes on a disk of 4-kB blocks."""
    files = [path for path in root.rglob("*") if path.is_file() and not path.is_symlink()]
    return sum(-(-path.stat().st_size // 4096) * 4 for path in files)


def _write_control(root: Path, target: Target) -> None:
    control = root / "DEBIAN"
    control.mkdir()
    said = tree.said(target)
    major, minor = target.python.split(".")
    following = f"{major}.{int(minor) + 1}"
    values: Mapping[str, object] = {**said, "kilobytes": installed_kilobytes(root), "next": following}
    (control / "control").write_text(_CONTROL.format_map(values))
    for name, text in SCRIPTS.items():
        (control / name).write_text(text)
        (control / name).chmod(0o755)


def _even_out(root: Path) -> None:
    for path in [root, *root.rglob("*")]:
        if path.is_symlink():
            os.utime(path, (_EPOCH, _EPOCH), follow_symlinks=False)
            continue
        path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        os.utime(path, (_EPOCH, _EPOCH))


def _plain(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.uid = info.gid = 0
    info.uname = info.gname = "root"
    info.mtime = _EPOCH
    info.mode = 0o755 if info.isdir() or info.mode & 0o100 else 0o644
    return info


def _make_key(path: Path) -> int:
    private = Ed25519PrivateKey.generate()
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(private.private_bytes_raw().hex() + "\n")
    print(f"The key is in {path}; keep it offline. Units built with it believe it by its public half:")
    print(private.public_key().public_bytes_raw().hex())
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m ship.deb", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    making = commands.add_parser("key")
    making.add_argument("file", type=Path)
    building = commands.add_parser("build")
    building.add_argument("--architecture", choices=ARCHITECTURES, action="append")
    building.add_argument("--key", type=Path, help="signs the update; its public half goes into the release")
    building.add_argument("--to", type=Path, default=pins.ROOT / "build")
    given = parser.parse_args()
    if given.command == "key":
        return _make_key(given.file)
    private = None if given.key is None else bytes.fromhex(given.key.read_text())
    keys = [] if private is None else [public_half(private)]
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    given.to.mkdir(parents=True, exist_ok=True)
    try:
        for architecture in given.architecture or ARCHITECTURES:
            target = Target(architecture, python)
            made = given.to / f"release-{architecture}"
            tree.build(target, made, keys)
            written = [package(made, target, given.to)]
            written += [] if private is None else [update(made, target, given.to, private)]
            sizes = ", ".join(f"{path.name} {path.stat().st_size / 1e6:.1f} MB" for path in written)
            print(f"{architecture}: {sizes}; installed {installed_kilobytes(made) / 1000:.1f} MB")
    except (NotBuilt, bill.NotShipped) as refused:
        print(f"Not built: {refused}. (code: not-built)", file=sys.stderr)
        return 1
    return 0


def public_half(private: bytes) -> bytes:
    return Ed25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


if __name__ == "__main__":
    sys.exit(main())
