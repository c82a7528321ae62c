#!/bin/bash
# booted.sh BUILD UPPER: a system with systemd as its first process, on this one's files; what it writes is gone when it
# ends. It runs in namespaces that were made for it (booted.py), installs BUILD, and has nothing to do but what it is told.
set -euo pipefail
build=$1 upper=$2 root=$2/root

mount --make-rprivate /
mount -t tmpfs upper "$upper"
mkdir "$upper/changes" "$upper/work" "$root"
DESTDIR="$upper/changes" meson install -C "$build" --no-rebuild --quiet
mount -t overlay overlay -o "lowerdir=/,upperdir=$upper/changes,workdir=$upper/work" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount --rbind /dev "$root/dev"
mount -t tmpfs run "$root/run"

# Neither this machine's services nor what its boot does to devices, modules and settings of the kernel.
for directory in etc/systemd/system lib/systemd/system/sysinit.target.wants lib/systemd/system/sockets.target.wants \
    lib/systemd/system/timers.target.wants lib/systemd/system-generators; do
    mkdir -p "$root/$directory"
    mount -t tmpfs none "$root/$directory"
done
cat > "$root/etc/systemd/system/booted.target" <<TARGET
[Unit]
Requires=basic.target systemd-journald.service
After=basic.target systemd-journald.service
TARGET

cd "$root"
mkdir -p old
pivot_root . old
cd /
umount -l /old
mount --make-rshared / # as systemd has it, but for containers: credentials come by propagation
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin container=bypeer-e2e /lib/systemd/systemd --unit=booted.target
