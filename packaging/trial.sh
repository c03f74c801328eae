#!/bin/sh
# Installs, runs, upgrades and removes the package on a Debian with systemd: `npm run package -- --try` runs it in a machine
# of its own, with the two packages in /mnt. A line for each step: ok NAME, or not ok NAME and what was said.
export DEBIAN_FRONTEND=noninteractive

step() {
  name=$1
  shift
  if said=$("$@" 2>&1); then echo "ok $name"; else echo "not ok $name: $(echo "$said" | tail -n 20 | tr '\n' '|')"; fi
}
not() { if "$@"; then return 1; fi; }
same() { [ "$1" = "$2" ] || { echo "$1, not $2"; return 1; }; }

# client 10.0.1.2 ── c0 10.0.1.1, this host, s0 10.0.2.1 ── 10.0.2.11 server
network() {
  ip netns add client && ip netns add server &&
    ip link add c0 type veth peer name eth0 netns client && ip link add s0 type veth peer name eth0 netns server &&
    ip address add 10.0.1.1/24 dev c0 && ip address add 10.0.1.100/32 dev c0 && ip address add 10.0.2.1/24 dev s0 &&
    ip link set c0 up && ip link set s0 up &&
    ip -n client address add 10.0.1.2/24 dev eth0 && ip -n client link set eth0 up &&
    ip -n server address add 10.0.2.11/24 dev eth0 && ip -n server link set eth0 up &&
    ip -n server route add default via 10.0.2.1 || return
  mkdir /tmp/www && echo served >/tmp/www/index.html
  ip netns exec server busybox httpd -p 80 -h /tmp/www
}
configuration() {
  cat <<END
director:
  ports: { c0: c0, s0: s0 }
  services:
    - tcp: 10.0.1.100:$1
      scheduler: rr
      servers: [10.0.2.11:80]
    - tcp: 10.0.1.100:90
      scheduler: rr
      servers: [10.0.2.11:90]
END
}
request() { same "$(ip netns exec client curl -sS --retry 5 --retry-all-errors --max-time 20 "http://10.0.1.100:$1/")" served; }
lists() { sluice-ipvsadm -L -n | grep -q "TCP  10.0.1.100:$1 rr"; }
supervisor() { systemctl show --value -p MainPID sluice; }
# All processes of the service but the supervisor.
others() { grep -v "^$(supervisor)\$" /sys/fs/cgroup/system.slice/sluice.service/cgroup.procs; }
powers() {
  users=$(for pid in $(others); do awk '/^Uid:/ { print $3 }' "/proc/$pid/status"; done | sort -u)
  same "$users" "$(id -u sluice)" || return
  # Of capabilities.h: loading modules (16), tracing (19), administering the system (21).
  held=0x$(awk '/^CapBnd:/ { print $2 }' "/proc/$(supervisor)/status")
  same $((held & (1 << 16 | 1 << 19 | 1 << 21))) 0
}
is_new() { same "$(sluice --version)" "$1"; }
comes_back() {
  kill -9 "$(supervisor)"
  sleep 5
  for _ in $(seq 60); do systemctl is-active -q sluice && request 80 && return; sleep 1; done
  systemctl status sluice
  return 1
}
# A connection that says a second word after the upgrade.
connection() {
  ip netns exec server systemd-socket-activate --listen=90 --inetd --accept cat >/dev/null 2>&1 &
  cat >/tmp/talk.sh <<'END'
until exec 9<>/dev/tcp/10.0.1.100/90; do sleep 1; done
echo one >&9
read -r word <&9
echo "$word"
until test -e /tmp/upgraded; do sleep 1; done
echo two >&9
read -r -t 60 word <&9
echo "$word"
END
  ip netns exec client bash /tmp/talk.sh >/tmp/talk 2>/dev/null &
  said one
}
said() {
  for _ in $(seq 60); do grep -qx "$1" /tmp/talk && return; sleep 1; done
  cat /tmp/talk
  return 1
}
goes_on() { touch /tmp/upgraded && said two; }
nothing_left() {
  same "$(grep -laE '^sluice: |/usr/lib/sluic[e]' /proc/[0-9]*/cmdline 2>/dev/null)" '' &&
    same "$(ls /run/sluice* 2>/dev/null)" '' && same "$(ip -brief link show | grep sluice)" ''
}

# The machine may be slow.
mkdir -p /etc/systemd/system/sluice.service.d
printf '[Service]\nTimeoutStartSec=600\nWatchdogSec=300\n' >/etc/systemd/system/sluice.service.d/slow.conf

step 'the network is there' network
step 'the host has neither a compiler nor Node' not command -v gcc node
step 'installs' dpkg -i /mnt/old.deb
step 'is enabled' systemctl is-enabled sluice
step 'does not run without a configuration' not systemctl is-active sluice
step 'has not failed without a configuration' not systemctl is-failed sluice
step 'sluice says its version' is_new "$(dpkg-deb -f /mnt/old.deb Version)"
step 'sluice-ipvsadm says its version without a running Sluice' sluice-ipvsadm -v
step 'the unit is valid' systemd-analyze verify sluice.service
configuration 80 >/etc/sluice/sluice.yaml
echo 'SLUICE_OPTIONS=--log-level=debug' >/etc/default/sluice
step 'starts' systemctl start sluice
step 'forwards' request 80
step 'gives up powers' powers
configuration 81 >/etc/sluice/sluice.yaml
step 'reloads' systemctl reload sluice
step 'has reloaded' lists 81
echo 'director: { services: 7 }' >/etc/sluice/sluice.yaml
step 'refuses a wrong configuration' not systemctl reload sluice
step 'goes on' lists 81
configuration 80 >/etc/sluice/sluice.yaml
step 'reloads a mended one' systemctl reload sluice
step 'a client is connected' connection
supervisor_before=$(supervisor)
step 'upgrades' dpkg -i /mnt/new.deb
step 'the connection goes on' goes_on
step 'another supervisor is the main process' not same "$(supervisor)" "$supervisor_before"
step 'is active' systemctl is-active sluice
step 'is the new one' is_new "$(dpkg-deb -f /mnt/new.deb Version)"
step 'runs the new one' sh -c "sluice status | grep -q '$(dpkg-deb -f /mnt/new.deb Version)'"
step 'forwards after the upgrade' request 80
step 'keeps its options' grep -q debug /etc/default/sluice
step 'keeps its configuration' same "$(cat /etc/sluice/sluice.yaml)" "$(configuration 80)"
step 'comes back after kill -9' comes_back
step 'has a history' sh -c 'test "$(sluice history | wc -l)" -gt 2'
echo 'director: { services: 7 }' >/etc/sluice/sluice.yaml
step 'is installed again beside a wrong configuration' dpkg -i /mnt/new.deb
step 'goes on beside it' request 80
step 'runs the new one beside it' sh -c "sluice status | grep -q '$(dpkg-deb -f /mnt/new.deb Version)'"
configuration 80 >/etc/sluice/sluice.yaml
step 'stops' systemctl stop sluice
step 'is installed again while it is stopped' dpkg -i /mnt/new.deb
step 'stays stopped' not systemctl is-active sluice
step 'is removed' dpkg -r sluice
step 'is installed after its removal' dpkg -i /mnt/new.deb
step 'is enabled again' systemctl is-enabled sluice
step 'is removed again' dpkg -r sluice
step 'leaves nothing that runs' nothing_left
step 'leaves the configuration' test -s /etc/sluice/sluice.yaml
step 'is purged' dpkg -P sluice
step 'leaves no state and no options' not ls /var/lib/sluice /etc/default/sluice
step 'leaves what a person wrote' test -s /etc/sluice/sluice.yaml
journalctl -u sluice -o cat --no-pager >&2
exit 0
