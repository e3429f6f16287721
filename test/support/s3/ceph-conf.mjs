/**
 * The configuration of a Ceph cluster that holds objects in memory, in a folder of its own: one monitor, one object store daemon, one
 * gateway, all on loopback.
 *
 * Ready in about a second: the two paxos times are what its twenty or so first decisions would wait for, one after another.
 */
const DEVICE_BYTES = 4 * 2 ** 30

export function cephConf({ dir, fsid, ports }) {
  return `[global]
fsid = ${fsid}
mon host = ${monitorAddress(ports)}
keyring = ${dir}/keyring
run dir = ${dir}
crash dir = ${dir}/crash
admin socket =
pid file =
log file =
log to stderr = true
err to stderr = true
public addr = 127.0.0.1
cluster addr = 127.0.0.1
paxos propose interval = 0.02
paxos min wait = 0.01
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon data = ${dir}/mon
mon data avail crit = 1
mon data avail warn = 1
osd data = ${dir}/osd
osd objectstore = memstore
memstore device bytes = ${DEVICE_BYTES}

[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:${ports.gateway} tcp_nodelay=1
rgw data = ${dir}/rgw
`
}

export function monitorAddress(ports) {
  return `[v2:127.0.0.1:${ports.monitor},v1:127.0.0.1:${ports.monitorOld}]`
}
