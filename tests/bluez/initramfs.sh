#!/bin/busybox sh
# The first minute of the guest: find this machine's files, read-only, and put a layer of memory over them.
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
for module in /modules/*; do
    insmod "$module" || echo "guest: $module was not loaded"
done
for files in host daemons; do
    mount -t 9p -o trans=virtio,version=9p2000.L,ro,msize=512000,cache=loose $files /$files || echo "guest: no $files"
done
mount -t tmpfs -o size=60% ram /ram
mkdir /ram/upper /ram/work
mount -t overlay -o "lowerdir=/daemons:/host,upperdir=/ram/upper,workdir=/ram/work" overlay /guest \
    || echo "guest: no root"
for place in proc sys dev; do mount --move /$place /guest/$place; done
exec switch_root /guest /bin/sh "$QAFILA_ROOT/tests/bluez/init.sh"
echo "guest: could not start"
poweroff -f
