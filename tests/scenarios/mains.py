"""Under real main plugins, driven by cnitool: both roles in one list. Two releases of
the reference plugins: what `make cluster` builds, and what Debian has in /usr/lib/cni.
What is not there, or the kernel cannot do, is named (SKIPPED); what must be there and is not, fails."""
import json
import os
import subprocess
import time

import tables
from chain import ip
from harness import CHAINED, Failure, expect

BUILT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../build/cluster-bin")
RELEASES = {"1.9.1": BUILT + "/cni", "Debian": "/usr/lib/cni"}
# What each needs of its configuration, and what `ip link add` must know for it.
MAINS = {"bridge": ({"bridge": "cni0", "isGateway": True}, "name x type bridge"),
         "macvlan": ({"master": "up0"}, "link lo name x type macvlan"),
         "ptp": ({}, "name x type veth"),
         "host-device": ({"device": "given"}, "name x type veth"),
         "ipvlan": ({"master": "up0"}, "link lo name x type ipvlan"),
         "vlan": ({"master": "up0", "vlanId": 7}, "link lo name x type vlan id 7"),
         "dummy": ({}, "name x type dummy"),
         "tap": ({}, None)}
REQUIRED = ("bridge", "macvlan", "ptp", "host-device")  # of both releases: tests/deps.sh, tests/cluster/build.sh
SKIPPED = []  # (name, why)
ADDRESSES = ["10.0.2.40/24", "fd00:2::40/64"]
GATEWAYS = ["10.0.2.1", "fd00:2::1"]
POD_ARGS = "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=p"
LEFT = ("/var/lib/cni/results", "/run/staticip/leases")


def why_not(release, main):
    """Why this main plugin cannot be tried here; None when it can."""
    if not os.access(BUILT + "/cnitool", os.X_OK):
        return "cnitool is not built yet: make cluster"
    if not os.access("%s/%s" % (RELEASES[release], main), os.X_OK):
        return "not in %s" % RELEASES[release]
    probe = MAINS[main][1]
    if probe is None:
        return None if os.access("/dev/net/tun", os.R_OK) else "no /dev/net/tun"
    done = subprocess.run(["unshare", "--net", "sh", "-c", "ip link set lo up; ip link add " + probe], capture_output=True, text=True)
    return "the kernel says: " + done.stderr.strip() if "nknown device type" in done.stderr else None


def versions_of(release, main):
    """The chained versions that a main plugin knows, by its own word; 0.3.0 is 0.3.1 with a misprint."""
    done = subprocess.run(["%s/%s" % (RELEASES[release], main)], input=b'{"cniVersion":"1.0.0"}', capture_output=True,
                          env={"CNI_COMMAND": "VERSION"}, timeout=10)
    known = json.loads(done.stdout)["supportedVersions"]
    return [v for v in CHAINED if v in known and v != "0.3.0"]


def setup(h):
    for name in ("node", "pod"):
        subprocess.run(["ip", "netns", "del", name], capture_output=True)
        subprocess.run(["ip", "netns", "add", name], check=True)
        # nobody else has our addresses: no second to wait for the word of the others
        subprocess.run(["nsenter", "--net=/run/netns/" + name, "sysctl", "-qw", "net.ipv6.conf.all.accept_dad=0",
                        "net.ipv6.conf.default.accept_dad=0"], check=True)
    for pair in (("up0", "up1"), ("given", "other")):
        ip("node", "link add name %s type veth peer name %s" % pair)
        for link in pair:
            ip("node", "link set %s up" % link)
    ip("node", "link set lo up")
    ip("node", "addr add 192.168.9.2/24 dev up0")
    ip("node", "route add default via 192.168.9.1")
    publish([{"dst": "0.0.0.0/0"}, {"dst": "::/0"}])
    subprocess.run("rm -rf /run/work/bin /run/work/net.d; mkdir -p /run/work/bin /run/work/net.d && cp %s /run/work/bin/staticip"
                   % h.plugin, shell=True, check=True)


def publish(routes, second=(), ips=ADDRESSES, gateways=GATEWAYS):
    """The pod on podnet, and on the network "second" with these addresses."""
    rows = {"podnet/default/p": {"p": "default/a", "ips": list(ips), "gw": list(gateways)}}
    profiles = {"default/a": {"uid": "u-1", "routes": routes}}
    if second:
        rows["second/default/p"] = {"p": "default/b", "ips": list(second)}
        profiles["default/b"] = {"uid": "u-2"}
    tables.publish({"podnet": tables.network("podnet"), "second": tables.network("second")}, rows, profiles)


def configure(name, version, *plugins):
    with open("/run/work/net.d/%s.conflist" % name, "w") as f:
        json.dump({"cniVersion": version, "name": name, "plugins": plugins}, f)


def cnitool(verb, release="1.9.1", net="podnet", netns="/run/netns/pod", **env):
    environment = dict({"PATH": os.environ["PATH"], "NETCONFPATH": "/run/work/net.d", "CNI_ARGS": POD_ARGS,
                        "CNI_PATH": "/run/work/bin:" + RELEASES[release]}, **env)
    done = subprocess.run(["nsenter", "--net=/run/netns/node", BUILT + "/cnitool", verb, net, netns],
                          env=environment, capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise Failure("cnitool %s: %s" % (verb, (done.stderr.splitlines() or done.stdout.splitlines())[:1]))
    return done.stdout


def cnitool_error(*args, **env):
    try:
        out = cnitool(*args, **env)
    except Failure as e:
        return str(e)
    raise Failure("it succeeded: " + out)


def links():
    """Names of both sides; cni0 stays by its plugin's design."""
    return [sorted(link["ifname"] for link in json.loads(ip(name, "-j link")) if link["ifname"] != "cni0") for name in ("node", "pod")]


def files():
    return [os.path.join(folder, name) for root in LEFT for folder, _, names in os.walk(root) for name in names]


def expect_nothing_left(before):
    until = time.monotonic() + 10
    while links() != before and time.monotonic() < until:
        time.sleep(0.05)  # the kernel takes the links of a namespace that is gone when it has time
    expect(links() == before, "links", links(), before)
    expect(files() == [], "files", files())


def in_pod(words, ifname="eth0"):
    shown = ip("pod", "addr show dev " + ifname) + ip("pod", "-4 route") + ip("pod", "-6 route")
    shown = shown.replace("linkdown ", "")  # a tap that nobody opened
    for word in words:
        expect(word in shown, "not in the pod: " + word, shown)


def main_conf(main, **more):
    return dict(MAINS[main][0], type=main, ipam={"type": "staticip"}, **more)


def whole_life(release, version, main):
    before = links()
    us = {"type": "staticip", "routes": [{"dst": "host", "gw": "auto"}, {"dst": "10.8.0.0/16", "gw": "10.0.2.1", "mtu": 1400}]}
    configure("podnet", version, main_conf(main), us)
    result = json.loads(cnitool("add", release))
    expect(result["cniVersion"] == version, "version", result)
    expect(any(path.startswith("/run/staticip/leases/") for path in files()), "no lease", files())
    expect([i["address"] for i in result["ips"]] == ADDRESSES, "addresses", result)
    expect([i["gateway"] for i in result["ips"]] == GATEWAYS, "gateways", result)
    expect([r["dst"] for r in result["routes"]] == ["0.0.0.0/0", "::/0", "192.168.9.2/32", "10.8.0.0/16"], "routes", result)
    in_pod(("inet " + ADDRESSES[0], "inet6 " + ADDRESSES[1], "default via 10.0.2.1 dev eth0", "default via fd00:2::1 dev eth0",
            "192.168.9.2 via 10.0.2.1 dev eth0", "10.8.0.0/16 via 10.0.2.1 dev eth0 proto static mtu 1400"))
    for verb in {"0.3.1": [], "0.4.0": ["check"], "1.0.0": ["check"]}.get(version, ["check", "status"]):
        cnitool(verb, release)
    # libcni's GC sends a DEL for each attachment that is not named as valid, and cnitool names none
    cnitool("gc" if version == "1.1.0" else "del", release)
    expect_nothing_left(before)
    if main != "host-device":  # which fails when it finds no interface
        cnitool("del", release)
    expect_nothing_left(before)


def every_version(release, main):
    def act(h):
        for version in versions_of(release, main):
            whole_life(release, version, main)
    return act


# bridge and ptp take back the masquerading of the addresses that they find on the interface
# at DEL: ptp after ours, which set the link down (lib/node/silence.h).
def rules():
    """What of netfilter is about one attachment: rules, and chains of its own."""
    def said(*command):
        done = subprocess.run(("nsenter", "--net=/run/netns/node") + command, capture_output=True, text=True, check=True)
        return done.stdout.splitlines()
    saved = said("iptables-save", "-t", "nat") + said("ip6tables-save", "-t", "nat")
    own = [a.split("/")[0] for a in ADDRESSES]
    nft = [line.strip() for line in said("nft", "list", "ruleset") if any(a in line for a in own)]
    return [line for line in saved if line.startswith(("-A", ":CNI-"))] + nft


def masquerading(release, main, **more):
    def act(h):
        before = links()
        configure("podnet", "1.0.0", main_conf(main, ipMasq=True, **more), {"type": "staticip", "routes": [{"dst": "host", "gw": "auto"}]})
        for ending in ("del", "gc") if release == "1.9.1" else ("del",):
            if ending == "gc":
                configure("podnet", "1.1.0", main_conf(main, ipMasq=True, **more))
            cnitool("add", release)
            there = rules()
            for address in ADDRESSES:
                expect(any(address.split("/")[0] in rule for rule in there), "not masqueraded: " + address, there)
            cnitool("check", release)
            expect(rules() == there, "CHECK changed rules", rules(), there)
            cnitool(ending, release)
            expect_nothing_left(before)
            expect(rules() == [], "rules", rules())
    return act


# Gateways that are in no usual subnet. Where the main plugin gives the node the gateway's address the
# pod must reach it. macvlan gives it to nobody, nor does bridge where it is link-local: cni0 has one of
# its own already, which the plugin takes for a mistake (plugins 1.9.1, ensureAddr).
NARROW = {"a 127": ("fd00:3::3/127", "fd00:3::2"), "a 128": ("fd00:3::9/128", "fe80::1"),
          "a link-local gateway": ("fd00:3::9/64", "fe80::1")}


def narrow(main, address, gateway):
    link_local = gateway.startswith("fe80:")
    to_the_node = main == "ptp" or (main == "bridge" and not link_local)
    # in a /64 auto is the subnet's first address, whatever the gateway is
    ours = {"type": "staticip", "routes": [{"dst": "fd08::/32", "gw": gateway if address.endswith("/64") else "auto"}]}

    def act(h):
        before = links()
        publish([{"dst": "::/0"}, {"dst": "fd09::/32", "gw": gateway}], ips=[address], gateways=[gateway])
        configure("podnet", "1.1.0", dict(main_conf(main), **({"isGateway": to_the_node} if main == "bridge" else {})), ours)
        result = json.loads(cnitool("add"))
        expect([(i["address"], i["gateway"]) for i in result["ips"]] == [(address, gateway)], "ips", result)
        in_pod(["inet6 " + address] + ["%s via %s dev eth0" % (dst, gateway) for dst in ("default", "fd09::/32", "fd08::/32")])
        if to_the_node:
            ping = ["nsenter", "--net=/run/netns/pod", "ping", "-c1", "-W5", gateway + ("%eth0" if link_local else "")]
            subprocess.run(ping, check=True, capture_output=True)
        cnitool("check")
        cnitool("del")
        expect_nothing_left(before)
    return act


def declare():
    """One test for each main plugin of each release."""
    for release in RELEASES:
        for main in MAINS:
            why = why_not(release, main)
            name = "test_under_%s_%s_in_every_chained_version" % (main.replace("-", "_"), release)
            if not why:
                globals()[name] = every_version(release, main)
            elif main in REQUIRED and not why.startswith("the kernel"):
                globals()[name] = missing(release, main, why)
            else:
                SKIPPED.append(("under %s %s" % (main, release), why))


def missing(release, main, why):
    def act(h):
        raise Failure("%s of %s: %s" % (main, release, why))
    return act


def test_the_releases_are_what_they_are_called(h):
    said = subprocess.run([RELEASES["1.9.1"] + "/bridge"], env={}, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    expect("CNI bridge plugin v1.9.1" in said.stderr, "what ours says", said.stderr)
    # Debian's call themselves "unknown": run.sh asks the package, and whether a file of it was changed
    version = os.environ["DEBIAN_CNI"].splitlines()
    expect(len(version) == 1 and version[0].startswith("1.1.1+"), "Debian's package", version)


declare()

for release, backend in (("1.9.1", "iptables"), ("1.9.1", "nftables"), ("Debian", "iptables")):
    for main in ("bridge", "ptp"):
        if not why_not(release, main):
            globals()["test_masquerading_by_%s_%s_with_%s_ends_at_DEL" % (main, release, backend)] = \
                masquerading(release, main, ipMasqBackend=backend)

for main in ("bridge", "ptp", "macvlan"):
    for name, (address, gateway) in NARROW.items():
        if not why_not("1.9.1", main):
            globals()["test_%s_under_%s" % (name.replace(" ", "_"), main)] = narrow(main, address, gateway)

if not why_not("1.9.1", "macvlan"):
    BOTH = ",".join(a.split("/")[0] for a in ADDRESSES)

    def multus(ifname, ips):
        """What Multus 4 sends for a selection element with `ips`: CNI_ARGS and the capability."""
        return {"CNI_IFNAME": ifname, "CNI_ARGS": POD_ARGS + ";K8S_POD_INFRA_CONTAINER_ID=c1;K8S_POD_UID=u1;IP=" + ips,
                "CAP_ARGS": json.dumps({"ips": ips.split(","), "mac": "02:00:00:00:00:07"})}

    def test_addresses_asked_for_on_three_roads_at_once(h):
        before = links()
        asked = {"capabilities": {"ips": True}, "args": {"cni": {"ips": ADDRESSES}}}
        configure("podnet", "1.0.0", main_conf("macvlan", **asked))
        result = json.loads(cnitool("add", **multus("eth0", BOTH)))
        expect([i["address"] for i in result["ips"]] == ADDRESSES, "addresses", result)
        cnitool("check", **multus("eth0", BOTH))
        cnitool("del", **multus("eth0", BOTH))
        expect_nothing_left(before)
        for spoilt in (multus("eth0", "10.0.2.41"), dict(multus("eth0", BOTH), CNI_ARGS=POD_ARGS + ";IP=10.0.2.41"),
                       dict(multus("eth0", BOTH), CAP_ARGS='{"ips":["10.0.2.41"]}')):
            error = cnitool_error("add", **spoilt)
            expect("asks for 10.0.2.41, but StaticIPAllocation default/a gives this pod 10.0.2.40/24" in error, "error", error)
            cnitool("del", **spoilt)
            expect_nothing_left(before)

    def test_a_second_interface_in_the_same_namespace(h):
        before = links()
        publish([], second=["10.77.0.9/24"])
        configure("podnet", "1.0.0", main_conf("bridge"))
        configure("second", "1.0.0", main_conf("macvlan", capabilities={"ips": True}), {"type": "staticip", "routes": [
            {"dst": "10.78.0.0/16", "gw": "10.77.0.1"}]})
        cnitool("add")
        result = json.loads(cnitool("add", net="second", **multus("net1", "10.77.0.9")))
        expect([i["address"] for i in result["ips"]] == ["10.77.0.9/24"], "addresses", result)
        in_pod(["inet " + ADDRESSES[0]])
        in_pod(["inet 10.77.0.9/24", "10.78.0.0/16 via 10.77.0.1 dev net1"], "net1")
        cnitool("check")
        cnitool("check", net="second", **multus("net1", "10.77.0.9"))
        cnitool("del", net="second", **multus("net1", "10.77.0.9"))
        in_pod(["inet " + ADDRESSES[0]])
        cnitool("check")
        cnitool("del")
        expect_nothing_left(before)

    def test_MP4_a_main_plugin_that_fails_behind_our_ADD_leaves_nothing(h):
        before = links()
        publish([{"dst": "10.7.0.0/16", "gw": "172.31.0.1"}])  # on no link: the kernel refuses it
        configure("podnet", "1.0.0", main_conf("macvlan"))
        expect("network is unreachable" in cnitool_error("add"), "another error")
        expect(files() == [], "files", files())  # the link stays until DEL
        cnitool("del")
        expect_nothing_left(before)
        publish([])
        cnitool("add")
        cnitool("del")
        expect_nothing_left(before)

    def test_MP5_a_namespace_that_is_gone_before_DEL_leaves_nothing(h):
        for main in ("bridge", "macvlan", "ptp"):
            setup(h)
            before = links()
            configure("podnet", "1.0.0", main_conf(main), {"type": "staticip", "routes": [{"dst": "10.8.0.0/16"}]})
            cnitool("add")
            subprocess.run(["ip", "netns", "del", "pod"], check=True)
            cnitool("del")
            subprocess.run(["ip", "netns", "add", "pod"], check=True)
            expect_nothing_left(before)

    def test_a_host_device_that_the_chained_role_refuses_comes_back(h):
        before = links()
        configure("podnet", "1.0.0", main_conf("host-device"), {"type": "staticip", "routes": [{"dst": "10.8.0.0/16", "gw": "172.31.0.1"}]})
        expect("nreachable" in cnitool_error("add"), "another error")
        cnitool("del")
        expect_nothing_left(before)
