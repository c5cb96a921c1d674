#!/bin/sh
# Tests speak to real parts that Debian has and PyPI has not: a Mosquitto, a D-Bus daemon, a tmux, a tracer
# of system calls, a PostgreSQL, systemd's own check of units. Bring in what is missing where that is allowed; say what is missing where it
# is not. On
# CI a missing part is a failure, never a skip.
set -u
PATH="$PATH:/usr/sbin"
for folder in /usr/lib/postgresql/*/bin; do PATH="$PATH:$folder"; done  # Debian leaves it out of PATH

# command, Debian package, what needs it
PARTS="mosquitto mosquitto broker
dbus-daemon dbus Bluetooth
tmux tmux screen
strace strace torture
postgres postgresql centre
systemd-analyze systemd units"

missing() {
    echo "$PARTS" | while read -r command package reason; do
        command -v "$command" >/dev/null 2>&1 || echo "$package"
    done
}

packages=$(missing | tr '\n' ' ')
[ "$packages" = "" ] && exit 0
if command -v apt-get >/dev/null 2>&1; then
    if [ "$(id -u)" = 0 ]; then as_root=""
    elif sudo -n true 2>/dev/null; then as_root="sudo -n"
    else as_root="none"; fi
    if [ "$as_root" != none ]; then
        echo "Installing from Debian's packages: $packages..."
        # Debian starts daemons of its own on installation; the tests start theirs, so hold them back.
        if [ ! -e /usr/sbin/policy-rc.d ]; then
            printf '#!/bin/sh\nexit 101\n' | $as_root tee /usr/sbin/policy-rc.d >/dev/null
            $as_root chmod +x /usr/sbin/policy-rc.d
            held=yes
        else held=no; fi
        $as_root apt-get update -qq >/dev/null 2>&1
        # shellcheck disable=SC2086  # one word for each package
        $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages \
            >/dev/null 2>&1
        [ "$held" = yes ] && $as_root rm -f /usr/sbin/policy-rc.d
        packages=$(missing | tr '\n' ' ')
        [ "$packages" = "" ] && exit 0
    fi
fi
echo "Not on this machine, and could not be installed: $packages" >&2
echo "Next: apt-get install $packages(or your system's equivalent), then run make again. (code: packages-missing)" >&2
[ "${CI:-}" = "" ] || exit 1
echo "Going on without: every test that needs one of them will be skipped, and says so." >&2
exit 0
