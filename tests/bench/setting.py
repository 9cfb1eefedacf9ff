"""What is measured, and where: tables, network namespaces, and the contenders with what
each is asked. Everything lies below /run, which run.sh has made ours."""
import collections
import json
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(TOP, "tests", "scenarios"))
import tables  # noqa: E402

WORK = "/run/bench"
PODS = 110  # what a kubelet allows by default, and starts at once after a reboot
REFERENCE = os.path.join(TOP, "build", "cluster-bin", "cni")


def address(number):
    return "10.%d.%d.%d" % (number >> 16, number >> 8 & 255, number & 255)


def make_table(rows, buckets):
    """A root with rows pods, of allocations of 100 each, with a gateway and a route; its path."""
    root = "%s/table-%d-%d" % (WORK, rows, buckets)
    pods = {"mynet/default/p-%d" % i: {"p": "default/a%d" % (i // 100), "ips": [address(i + 256) + "/8"],
                                       "gw": ["10.255.255.1"]} for i in range(rows)}
    profiles = {"default/a%d" % i: {"uid": "u-1", "routes": [{"dst": "10.9.0.0/16"}]} for i in range(rows // 100 + 1)}
    tables.publish({"mynet": tables.network("mynet")}, pods, profiles, buckets, root)
    return root


def make_grants(rows):
    """A root whose network gives addresses by grants only, with grants for rows pods; its path."""
    root = "%s/grants-%d" % (WORK, rows)
    tables.publish({"mynet": tables.network("mynet", grants=True)}, {}, {}, 64, root)
    lines = [("@", {"node": "n1", "object": "o-1", "epoch": "1-e", "serial": 1}),
             ("!default/a", {"uid": "u-1", "routes": [{"dst": "10.9.0.0/16"}]})]
    lines += [("mynet/default/p-%d@u-%d" % (i, i), {"state": "Granted", "domain": "network/mynet", "p": "default/a",
                                                    "ips": [address(i + 256) + "/8"], "gw": ["10.255.255.1"]})
              for i in range(rows)]
    with open(root + "/node", "w") as file:
        file.write(tables.text([(key, json.dumps(value, separators=(",", ":"))) for key, value in lines]))
    return root


def make_namespaces(count):
    """Pods as a main plugin leaves them: an interface that is up and has an address. The
    chained role has one of its own: a DEL of the IPAM role sets the interface down."""
    for name in ["chain"] + ["b%d" % i for i in range(count)]:
        subprocess.run(["ip", "netns", "add", name], check=True)
        lines = ["link add eth0 type veth peer name peer0", "link set peer0 up", "link set eth0 up",
                 "addr add 10.131.0.43/16 dev eth0"]
        subprocess.run(["ip", "-n", name, "-batch", "-"], input="\n".join(lines).encode(), check=True)


def make_store(leases):
    """A store of host-local with so many leases of others; returns its dataDir."""
    data = "%s/host-local-%d" % (WORK, leases)
    os.makedirs(data + "/mynet")
    for i in range(leases):
        with open("%s/mynet/%s" % (data, address((131 << 16) + 256 + i)), "w") as f:
            f.write("other-%d\r\neth0" % i)
    return data


class Contender:
    """One who is started: as the driver wants it (lines), and by us (run)."""

    def __init__(self, name, program, conf=None, env=None, every=1, spread=1, root=None, undo=None):
        self.name, self.every, self.spread, self.root = name, every, spread, root
        # copies in tmpfs: no contender pays for another file system
        self.program = "%s/%s" % (WORK, os.path.relpath(program, TOP).replace("/", "-"))
        if not os.path.exists(self.program):
            shutil.copy(program, self.program)
        self.undo = {True: self.program, None: None}.get(undo, undo)
        self.input = "%s/%s.json" % (WORK, name)
        with open(self.input, "w") as f:
            json.dump(conf or {}, f)
        self.env = {"CNI_COMMAND": "ADD", "CNI_CONTAINERID": "c{i}", "CNI_NETNS": "/run/netns/b{i}",
                    "CNI_IFNAME": "eth0", "CNI_PATH": "/opt/cni/bin",
                    "CNI_ARGS": "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=p-{i};"
                                "K8S_POD_INFRA_CONTAINER_ID=c;K8S_POD_UID=u-{i}"}
        self.env.update(env or {})

    def lines(self):
        lines = ["contender " + self.name, "exec " + self.program, "input " + self.input,
                 "every %d" % self.every, "spread %d" % self.spread]
        lines += ["env %s=%s" % pair for pair in self.env.items()]
        if self.root:
            lines.append("link %s %s" % (tables.ROOT, self.root))
        if self.undo:
            lines.append("undo " + self.undo)
        return lines

    def run(self, number=0, verb="ADD", wrap=()):
        """Starts it once; the driver's undo is not made. Returns the finished process."""
        if self.root:
            if os.path.islink(tables.ROOT):
                os.unlink(tables.ROOT)
            os.symlink(self.root, tables.ROOT)
        env = {k: v.replace("{i}", str(number)) for k, v in self.env.items()}
        env["CNI_COMMAND"] = verb
        with open(self.input) as source:
            done = subprocess.run(list(wrap) + [self.program], env=env, stdin=source, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, timeout=120)
        return done

    def run_undo(self, number=0):
        if self.undo == self.program:
            self.run(number, "DEL")
        elif self.undo:
            subprocess.run(self.undo.split(), check=True)


def conf(ipam):
    return {"cniVersion": "1.0.0", "name": "mynet", "type": "macvlan", "ipam": ipam}


def routes_conf(count):
    return {"cniVersion": "1.0.0", "name": "mynet", "type": "staticip",
            "routes": [{"dst": "10.200.%d.0/24" % i, "gw": "10.131.0.1"} for i in range(count)],
            "prevResult": {"cniVersion": "1.0.0", "interfaces": [{"name": "eth0", "sandbox": "/run/netns/chain"}],
                           "ips": [{"address": "10.131.0.43/16", "interface": 0}]}}


def ours(name, plugin, root, pods, ipam=None, **more):
    return Contender(name, plugin, conf(ipam or {"type": "staticip"}), spread=min(pods, PODS), root=root,
                     undo=True, **more)


def chained(plugin, count, every):
    return Contender("ours, %d routes chained" % count, plugin, routes_conf(count), every=every,
                     env={"CNI_NETNS": "/run/netns/chain"},
                     undo="/usr/bin/env PATH=/usr/sbin:/usr/bin:/sbin:/bin ip -n chain -4 route flush root 10.200.0.0/16")


def static(every):
    return Contender("static", REFERENCE + "/static", conf(
        {"type": "static", "addresses": [{"address": "10.131.0.43/8", "gateway": "10.255.255.1"}],
         "routes": [{"dst": "10.9.0.0/16"}]}), every=every)


def host_local(leases, every):
    return Contender("host-local, %d leases" % leases, REFERENCE + "/host-local", conf(
        {"type": "host-local", "dataDir": make_store(leases), "routes": [{"dst": "10.9.0.0/16"}],
         "ranges": [[{"subnet": "10.131.0.0/16", "gateway": "10.131.0.1"}]]}), every=every, spread=PODS, undo=True)


def empty(program):
    return Contender("empty", program)


def inline(plugin):
    """Sources without a cluster: their nodes have no tables."""
    os.makedirs(WORK + "/no-table", exist_ok=True)
    routes = [{"dst": "10.9.0.0/16"}]
    fixed = {"addresses": [{"address": "10.132.0.43/16", "gateway": "10.132.0.1"}], "routes": routes}
    dynamic = {"ranges": [[{"subnet": "10.133.0.0/16", "gateway": "10.133.0.1"}]], "routes": routes}
    return [ours("ours, inline " + what, plugin, WORK + "/no-table", PODS, dict(ipam, type="staticip"))
            for what, ipam in (("addresses", fixed), ("a range", dynamic))]


def drive(driver, contenders, rounds, at_once):
    """{name: [values of one line each]} of the driver's output."""
    answers = WORK + "/answers"
    os.makedirs(answers, exist_ok=True)
    spec = "\n".join(line for c in contenders for line in c.lines()) + "\n"
    done = subprocess.run([driver, str(rounds), str(at_once), answers], input=spec.encode(),
                          stdout=subprocess.PIPE, check=True, timeout=1500)
    samples = collections.defaultdict(list)
    for line in done.stdout.decode().splitlines():
        name, *values = line.split("\t")
        samples[name].append([int(v) for v in values])
    return samples
