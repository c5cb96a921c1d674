#!/bin/sh
# Tests speak to a real Mosquitto. Bring it in from Debian's packages where that is allowed; say what is
# missing where it is not. On CI its absence is a failure, never a skip.
set -u
PATH="$PATH:/usr/sbin"
command -v mosquitto >/dev/null 2>&1 && exit 0
if command -v apt-get >/dev/null 2>&1; then
    if [ "$(id -u)" = 0 ]; then as_root=""
    elif sudo -n true 2>/dev/null; then as_root="sudo -n"
    else as_root="none"; fi
    if [ "$as_root" != none ]; then
        echo "Installing Mosquitto from Debian's packages ..."
        # Debian starts a broker of its own on installation; the tests start theirs, so hold it back.
        if [ ! -e /usr/sbin/policy-rc.d ]; then
            printf '#!/bin/sh\nexit 101\n' | $as_root tee /usr/sbin/policy-rc.d >/dev/null
            $as_root chmod +x /usr/sbin/policy-rc.d
            held=yes
        else held=no; fi
        $as_root apt-get update -qq >/dev/null 2>&1
        DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends mosquitto >/dev/null 2>&1
        [ "$held" = yes ] && $as_root rm -f /usr/sbin/policy-rc.d
        command -v mosquitto >/dev/null 2>&1 && exit 0
    fi
fi
echo "Mosquitto is not on this machine and could not be installed." >&2
echo "Next: apt-get install mosquitto (or your system's equivalent), then run make again. (code: mosquitto-missing)" >&2
[ "${CI:-}" = "" ] || exit 1
echo "Going on without it: every test that needs a real broker will be skipped, and says so." >&2
exit 0
