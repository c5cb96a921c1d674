# The guest's second half, in this machine's own files: a bus, the real bluetoothd, then the tests.
# Its process is number 1: when it ends, whatever the reason, the machine is switched off.
export PATH=$QAFILA_ROOT/.venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL=C.UTF-8 HOME=/tmp NO_COLOR=1 PYTHONDONTWRITEBYTECODE=1
off() { sync; echo "guest: off"; echo o >/proc/sysrq-trigger; while :; do :; done; }
trap off EXIT
say() { read -r up _ </proc/uptime; echo "guest: $up s: $*"; }

for place in /run /tmp /dev/shm /var/lib/bluetooth; do mkdir -p $place; mount -t tmpfs ram $place; done
mkdir -p /out /run/dbus /dev/pts
mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 out /out || exit 1
say "files are here, kernel $(uname -r)"

dbus-daemon --system --fork --nopidfile || exit 1
# bluetoothd as systemd would keep it: it comes back when it dies, and the log says so.
(while :; do
    /usr/libexec/bluetooth/bluetoothd --nodetach --debug >>/out/bluetoothd.log 2>&1
    echo "guest: bluetoothd ended with $?" >>/out/bluetoothd.log
    sleep 1
done) &
say "bus and bluetoothd are up"
cd "$QAFILA_ROOT" || exit 1
PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 python -m pytest tests/bluez/in_guest.py -p pytest_asyncio.plugin -p pytest_timeout -p no:cacheprovider -v --tb=short --log-level=INFO \
    --junitxml=/out/junit.xml -o timeout=120 -o junit_family=xunit2 $QAFILA_PYTEST 2>&1 | tee /out/pytest.log
say "tests are over"
dmesg >/out/dmesg.log
