"""Pod sandboxes of real containerds, asked for as the kubelet asks. See run.sh."""
import json
import os
import re
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../scenarios"))

import mains  # noqa: E402  (found by the line above)
import tables  # noqa: E402
from harness import Failure, Harness, expect  # noqa: E402

BIN = os.environ["BUILD"] + "/cluster-bin"
WORK = "/run/work"
ADDRESSES = ["10.0.2.40/24", "fd00:2::40/64"]
GATEWAYS = ["10.0.2.1", "fd00:2::1"]
SECOND = ["10.77.0.9/24"]  # on the network "second"
NODE_LINKS = ("up0", "given")  # the master of macvlan, and what host-device gives away and takes back
# What is left of a pod that is gone, on a node without pods.
TRACES = ("/run/netns", "/var/lib/cni/results", "/run/staticip/leases")
CONFIG = """
version = 2
root = "{work}/root"
state = "{work}/state"
[grpc]
  address = "{work}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "docker.io/local/pause:1"
  restrict_oom_score_adj = true
  disable_tcp_service = true
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{work}/bin"
    conf_dir = "{work}/net.d"
[plugins."io.containerd.internal.v1.opt"]
  path = "{work}/opt"
"""


def run(*command, check=True, env=None, timeout=70):
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, env=env)
    if check and done.returncode:
        raise Failure("%s: %s%s" % (" ".join(command[:4]), done.stdout[:200], done.stderr[:1200]))
    return done.stdout.strip()


class Runtime:
    """One containerd with folders and a socket of its own."""

    def __init__(self, name, path, version):
        self.path, self.newest = path, version  # of the CNI configuration
        self.version = version
        self.work = "%s/%s" % (WORK, name)
        self.conflist = self.work + "/net.d/10-podnet.conflist"
        self.process = self.log = self.under = None
        os.makedirs(self.work + "/net.d")
        with open(self.work + "/config.toml", "w") as f:
            f.write(CONFIG.format(work=self.work))

    def environment(self):
        # the shim beside its containerd comes first
        return {"PATH": self.path + ":" + os.environ["PATH"], "CGROUP_PARENT": "/" + os.environ["CGROUP"]}

    def start(self):
        self.log = open(self.work + "/log", "a")
        self.process = subprocess.Popen([self.path + "/containerd", "-c", self.work + "/config.toml"], stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log, env=self.environment())
        until = time.monotonic() + 30
        while True:
            try:
                return self.cri("network")
            except Failure as e:
                if self.process.poll() is not None or time.monotonic() > until:
                    raise Failure("containerd does not start: %s | %s" % (e, self.tail()))
            time.sleep(0.1)

    def tail(self):
        with open(self.work + "/log") as f:
            return f.read()[-1500:]

    def end(self, how=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(20)

    def cri(self, *words, check=True):
        return run(BIN + "/cri", self.work + "/containerd.sock", *words, check=check, env=self.environment())

    def load_pause(self):
        run(self.path + "/ctr", "-a", self.work + "/containerd.sock", "-n", "k8s.io", "images", "import",
            os.environ["BUILD"] + "/images/pause.tar", env=self.environment())

    def run_pod(self, name, uid, attempt="0"):
        return self.cri("run", "default", name, uid, attempt)

    def refusal(self, name, uid):
        """What the runtime says about a pod that it cannot start."""
        done = subprocess.run([BIN + "/cri", self.work + "/containerd.sock", "run", "default", name, uid, "0"], capture_output=True,
                              text=True, timeout=70, env=self.environment())
        expect(done.returncode != 0, "it started", done.stdout)
        return done.stderr

    def drop(self, sandbox):
        self.cri("stop", sandbox)
        self.cri("remove", sandbox)

    def begin(self, main="bridge", release="1.9.1"):
        """What a test that failed has left must not be the next one's failure."""
        publish()
        self.use(main, release)
        self.wait_for_network("true")
        for sandbox in self.cri("list").split():
            self.drop(sandbox)

    def use(self, main, release):
        """Under another main plugin. The runtime must have seen that the network is gone, or it
        might start the next pod with the old one."""
        if (main, release) == self.under:
            return
        if self.under and os.path.exists(self.conflist):
            os.unlink(self.conflist)
            self.wait_for_network("false")
        self.under = main, release
        self.version = self.newest if release == "1.9.1" else "1.0.0"  # the newest that 1.1.1 knows
        if os.path.islink(self.work + "/bin"):
            os.unlink(self.work + "/bin")
        os.symlink("%s/bin-%s" % (WORK, release), self.work + "/bin")
        self.configure()

    def configure(self):
        """Written beside and renamed in the folder: that is what the runtime notices."""
        us = {"type": "staticip", "routes": [{"dst": "10.8.0.0/16", "gw": "auto", "mtu": 1400}]}
        main = dict(mains.MAINS[self.under[0]][0], type=self.under[0], ipam={"type": "staticip", "wait": 1})
        with open(self.work + "/net.d/.new", "w") as f:
            json.dump({"cniVersion": self.version, "name": "podnet", "plugins": [main, us]}, f)
        os.rename(self.work + "/net.d/.new", self.conflist)

    def wait_for_network(self, wanted):
        until = time.monotonic() + 20
        while not self.cri("network").startswith(wanted):
            expect(time.monotonic() < until, "network is not " + wanted, self.cri("network"))
            time.sleep(0.1)


def publish():
    rows = {"podnet/default/p-0": {"p": "default/a", "ips": ADDRESSES, "gw": GATEWAYS},
            "second/default/p-0": {"p": "default/b", "ips": SECOND}}
    tables.publish({name: tables.network(name) for name in ("podnet", "second")}, rows,
                   {"default/a": {"uid": "u-1", "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}]}, "default/b": {"uid": "u-2"}})


def traces():
    here = [link["ifname"] for link in json.loads(run("ip", "-j", "link"))]
    links = [name for name in here if name.startswith("veth")] + [name + " is gone" for name in NODE_LINKS if name not in here]
    return links + [os.path.join(folder, name) for root in TRACES for folder, _, names in os.walk(root) for name in names]


def expect_nothing_left():
    until = time.monotonic() + 10
    while traces() and time.monotonic() < until:
        time.sleep(0.05)  # the kernel takes the links of a namespace that is gone when it has time
    expect(traces() == [], "left behind", traces())


def pod_netns():
    """That of the one pod that runs."""
    names = os.listdir("/run/netns")
    expect(len(names) == 1, "network namespaces", names)
    return "/run/netns/" + names[0]


def pod_network(ifname="eth0"):
    """Addresses and routes of the one pod that runs."""
    inside = ["nsenter", "--net=" + pod_netns(), "ip"]
    return "\n".join(run(*inside, *words.split()) for words in ("addr show dev " + ifname, "-4 route", "-6 route"))


def expect_pod(runtime, sandbox):
    status = runtime.cri("status", sandbox).split()
    expect(status == ["SANDBOX_READY"] + [a.split("/")[0] for a in ADDRESSES], "status", status)
    shown = pod_network()
    for words in ("inet " + ADDRESSES[0], "inet6 " + ADDRESSES[1], "default via 10.0.2.1 dev eth0", "default via fd00:2::1 dev eth0",
                  "10.8.0.0/16 via 10.0.2.1 dev eth0 proto static mtu 1400"):
        expect(words in shown, "not in the pod: " + words, shown)
    expect(len(traces()) >= 3, "what expect_nothing_left looks at is not there", traces())


def test_a_pod_has_the_addresses_of_the_table(runtime):
    sandbox = runtime.run_pod("p-0", "u-1")
    expect_pod(runtime, sandbox)
    runtime.drop(sandbox)
    expect_nothing_left()


def test_stopped_and_removed_twice_is_fine(runtime):
    sandbox = runtime.run_pod("p-0", "u-1")
    for verb in ("stop", "stop", "remove", "remove"):
        runtime.cri(verb, sandbox)
    expect_nothing_left()


def test_the_next_pod_of_the_name_has_the_addresses_again(runtime):
    for uid in ("u-1", "u-2", "u-3"):
        sandbox = runtime.run_pod("p-0", uid)
        expect_pod(runtime, sandbox)
        runtime.drop(sandbox)
    expect_nothing_left()


def test_a_pod_keeps_its_addresses_from_the_next_of_its_name(runtime):
    sandbox = runtime.run_pod("p-0", "u-1")
    said = runtime.refusal("p-0", "u-2")
    for words in ("10.0.2.40", "u-1"):
        expect(words in said, "not said: " + words, said)
    expect_pod(runtime, sandbox)  # also after the DEL that follows a refusal
    runtime.drop(sandbox)
    sandbox = runtime.run_pod("p-0", "u-2")
    expect_pod(runtime, sandbox)
    runtime.drop(sandbox)
    expect_nothing_left()


def test_a_new_sandbox_of_the_same_pod_takes_the_addresses_over(runtime):
    """As the kubelet does when a sandbox died: stop, then run the next attempt."""
    first = runtime.run_pod("p-0", "u-1")
    runtime.cri("stop", first)
    second = runtime.run_pod("p-0", "u-1", "1")
    expect_pod(runtime, second)
    runtime.drop(first)
    expect_pod(runtime, second)
    runtime.drop(second)
    expect_nothing_left()


def test_a_pod_without_allocation_is_refused_with_our_words(runtime):
    said = runtime.refusal("other-0", "u-9")
    for words in ("failed to setup network for sandbox", "failed (add)", "podnet", "default/other-0", "StaticIPAllocation"):
        expect(words in said, "not said: " + words, said)
    expect_nothing_left()


def test_a_pod_stops_when_the_tables_are_gone(runtime):
    sandbox = runtime.run_pod("p-0", "u-1")
    tables.clear()
    runtime.drop(sandbox)
    expect_nothing_left()
    said = runtime.refusal("p-0", "u-1")
    expect("no table was published" in said, "what it says", said)
    expect_nothing_left()


def test_a_pod_outlives_a_runtime_that_was_killed(runtime):
    sandbox = runtime.run_pod("p-0", "u-1")
    runtime.end(signal.SIGKILL)
    runtime.start()
    expect_pod(runtime, sandbox)
    runtime.drop(sandbox)
    expect_nothing_left()


def test_a_pod_whose_namespace_is_gone_stops(runtime):
    sandbox = runtime.run_pod("p-0", "u-1")
    for name in os.listdir("/run/netns"):
        run("umount", "/run/netns/" + name)
        os.unlink("/run/netns/" + name)
    runtime.drop(sandbox)
    expect_nothing_left()


def test_the_network_is_ready_when_a_table_is_there(runtime):
    """STATUS, from version 1.1.0 of the configuration, where the runtime knows that."""
    tables.clear()
    runtime.configure()
    if runtime.version == "1.1.0":
        runtime.wait_for_network("false")
        expect("no table was published" in runtime.cri("network"), "what it says", runtime.cri("network"))
        publish()
    runtime.wait_for_network("true")


def under(runtime, main, release):
    """A pod's whole life, and the next one's; host-device gives its one device to one pod at a time."""
    runtime.begin(main, release)
    for uid in ("u-1", "u-2"):
        sandbox = runtime.run_pod("p-0", uid)
        expect_pod(runtime, sandbox)
        runtime.drop(sandbox)
        expect_nothing_left()


def cnitool(runtime, verb):
    """About the second interface of the pod that runs, as Multus would."""
    env = dict(runtime.environment(), NETCONFPATH=runtime.work + "/second.d", CNI_PATH=runtime.work + "/bin", CNI_IFNAME="net1",
               CNI_ARGS="IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=p-0;K8S_POD_UID=u-1")
    return run(BIN + "/cnitool", verb, "second", pod_netns(), env=env)


def second_interface(runtime, release):
    """ADD, CHECK and DEL in a pod that runs: the first interface stays as it is."""
    runtime.begin("bridge", release)
    os.makedirs(runtime.work + "/second.d", exist_ok=True)
    main = {"type": "macvlan", "master": "up0", "ipam": {"type": "staticip", "wait": 1}}
    us = {"type": "staticip", "routes": [{"dst": "10.78.0.0/16", "gw": "10.77.0.1"}]}
    with open(runtime.work + "/second.d/second.conflist", "w") as f:
        json.dump({"cniVersion": runtime.version, "name": "second", "plugins": [main, us]}, f)
    sandbox = runtime.run_pod("p-0", "u-1")
    result = json.loads(cnitool(runtime, "add"))
    expect([i["address"] for i in result["ips"]] == SECOND, "addresses", result)
    shown = pod_network("net1")
    for words in ("inet " + SECOND[0], "10.78.0.0/16 via 10.77.0.1 dev net1"):
        expect(words in shown, "not in the pod: " + words, shown)
    cnitool(runtime, "check")
    expect_pod(runtime, sandbox)
    cnitool(runtime, "del")
    expect("net1" not in run("nsenter", "--net=" + pod_netns(), "ip", "link"), "net1 is still there")
    expect_pod(runtime, sandbox)
    runtime.drop(sandbox)
    expect_nothing_left()


def under_each_main(h, name, runtime):
    for release in mains.RELEASES:
        for main in mains.REQUIRED:
            why = mains.why_not(release, main)
            if why and why.startswith("the kernel"):
                print("ok %s under %s %s # skip %s" % (name, main, release, why))
            else:
                h.case("%s: under %s %s" % (name, main, release), lambda: under(runtime, main, release))
        h.case("%s: a second interface by cnitool, %s" % (name, release), lambda: second_interface(runtime, release))


def life(h, name, path, version):
    """Every test with one runtime."""
    runtime = Runtime(name, path, version)
    try:
        runtime.use("bridge", "1.9.1")
        runtime.start()
        runtime.load_pause()
        for test, act in list(globals().items()):
            if test.startswith("test_"):
                h.case("%s: %s" % (name, test[5:].replace("_", " ")), lambda: (runtime.begin(), act(runtime)))
        under_each_main(h, name, runtime)
    finally:
        if h.failed:
            print("the end of the log of %s:\n%s" % (name, runtime.tail()))
        runtime.end()


def main():
    h = Harness(sys.argv[1], re.compile(sys.argv[2]))
    run("ip", "link", "set", "lo", "up")
    for link in NODE_LINKS:
        run("ip", "link", "add", link, "type", "veth", "peer", "name", link + "-peer")
        run("ip", "link", "set", link, "up")
        run("ip", "link", "set", link + "-peer", "up")
    for release, folder in mains.RELEASES.items():
        run("sh", "-c", "mkdir -p $0 && cp $1/* $0/ && cp $2 $0/staticip", "%s/bin-%s" % (WORK, release), folder, h.plugin)
    for name, path, version in (("containerd 1.6", "/usr/bin", "1.0.0"), ("containerd 2.4", BIN + "/containerd2", "1.1.0")):
        print("# " + run(path + "/containerd", "--version"))
        try:
            life(h, name.replace(" ", "-"), path, version)
        except Failure as e:
            h.failed += 1
            print("FAIL %s: %s" % (name, e))
    print("runtime: %d passed, %d failed" % (h.passed, h.failed))
    sys.exit(1 if h.failed or not h.passed else 0)


main()
