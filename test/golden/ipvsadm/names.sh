#!/bin/sh
# What ipvsadm prints for hosts that have names. To renew names.recorded, as root in a virtual machine with the kernel's IPVS, and
# iproute2:  sh names.sh > names.recorded
modprobe ip_vs
cat >> /etc/hosts <<'H'
10.0.1.100 www.example.com www
10.0.2.11 web1
10.0.2.12 a-very-long-name-of-a-server.rack-17.example.com
fd00:1::100 www6.example.com
fd00:2::11 a-very-long-name-of-a-server-of-ipv6.rack-17.example.com
10.0.1.2 client
H
ip link set lo up
ip addr add 10.0.1.100/32 dev lo
ip addr add 10.0.2.11/32 dev lo
run() { sh -c "$1" 2>&1 | sed 's/^/sh| /'; }
run 'ipvsadm -A -t 10.0.1.100:80 -s rr; ipvsadm -a -t 10.0.1.100:80 -r 10.0.2.11:8080 -m; ipvsadm -a -t 10.0.1.100:80 -r 10.0.2.12:80 -m; ipvsadm -a -t 10.0.1.100:80 -r 10.0.2.13:80 -m'
run 'ipvsadm -A -t [fd00:1::100]:80 -s rr; ipvsadm -a -t [fd00:1::100]:80 -r [fd00:2::11]:80 -m; ipvsadm -a -t [fd00:1::100]:80 -r [fd00:2::12]:8080 -m'
run 'ipvsadm -A -u 10.0.2.12:53; ipvsadm -A -f 3; ipvsadm -a -f 3 -r 10.0.2.11 -m'
for words in '-L' '-L --stats' '-L --rate' '-L --thresholds' '-L --persistent-conn' '-L --tun-info' '-S' '-L -t 10.0.1.100:80'; do echo "mark $words"; run "ipvsadm $words"; done
