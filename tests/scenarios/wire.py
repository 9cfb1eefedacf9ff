"""What neighbours of a pod see, in real namespaces: "node" runs the plugin; "pod" is joined to
"lan" by a veth pair, where "n0" is a neighbour's link."""
import re
import subprocess
import time

import chain
from chain import POD4, POD6, call, ip, prev
from harness import expect

IP4, IP6 = POD4.split("/")[0], POD6.split("/")[0]
OLD = "02:00:00:00:00:99"  # who had the addresses before
SWITCHES = ("accept_ra", "autoconf", "accept_dad", "dad_transmits", "ndisc_notify")


def setup(h):
    for name in ("node", "pod", "lan"):
        subprocess.run(["ip", "netns", "del", name], capture_output=True)
        subprocess.run(["ip", "netns", "add", name], check=True)
        ip(name, "link set lo up")
    ip("pod", "link add eth0 type veth peer name n0 netns lan")
    ip("pod", "link set eth0 up")
    ip("lan", "link set n0 up")
    ip("lan", "addr add 10.131.0.9/23 dev n0")
    ip("lan", "addr add fd00:131::9/64 dev n0 nodad")
    chain.give_pod("pod", "eth0", POD4, POD6)
    h.netns = "/run/netns/node"


def mac(namespace, link):
    words = ip(namespace, "-o link show dev", link).split()
    return words[words.index("link/ether") + 1]


def known(address):
    """The MAC that the neighbour has for an address."""
    words = ip("lan", "neigh show", address, "dev n0").split()
    return words[words.index("lladdr") + 1] if "lladdr" in words else None


def remember_old():
    for address in (IP4, IP6):
        ip("lan", "neigh replace", address, "lladdr", OLD, "dev n0 nud reachable")
        expect(known(address) == OLD, "the neighbour's memory", known(address))


def until(what, act):
    """Frames and the kernel's own timers are somebody else's work: they come, but not at once."""
    end = time.monotonic() + 10
    while not act():
        expect(time.monotonic() < end, "never came: " + what)
        time.sleep(0.02)


def switches(namespace, link):
    command = ["nsenter", "--net=/run/netns/" + namespace, "cat"]
    command += ["/proc/sys/net/ipv6/conf/%s/%s" % (link, name) for name in SWITCHES]
    values = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return dict(zip(SWITCHES, values))


def set_switch(namespace, link, name, value):
    subprocess.run(["nsenter", "--net=/run/netns/" + namespace, "sh", "-c",
                    "echo %s >/proc/sys/net/ipv6/conf/%s/%s" % (value, link, name)], check=True)


def tentative():
    return "tentative" in ip("pod", "-6 addr show dev eth0")


# ---- announcement ------------------------------------------------------------------

def test_a_neighbour_learns_the_new_MAC_by_ADD(h):
    remember_old()
    expect(call(h, None).result() == prev(), "result")
    for address in (IP4, IP6):
        until("the new MAC of " + address, lambda: known(address) == mac("pod", "eth0"))


def test_each_of_several_addresses_is_announced_and_no_other(h):
    more = ["10.131.0.44/23", "10.77.0.1/32", "fd00:131::44/64"]
    chain.give_pod("pod", "eth0", POD4, POD6, *more)
    ip("pod", "link add net1 type veth peer name peer1")
    foreign = prev(ips=[POD4, POD6] + more[:2])
    foreign["interfaces"].append({"name": "net1", "sandbox": "/run/netns/pod"})
    foreign["ips"] += [{"address": more[2], "interface": 2}, {"address": "10.131.0.55/23", "interface": 1}]
    not_ours = ("fd00:131::44", "10.131.0.55")  # on another interface; not on any
    addresses = [IP4, "10.131.0.44", "10.77.0.1", IP6]
    for address in addresses + list(not_ours):
        ip("lan", "neigh replace", address, "lladdr", OLD, "dev n0 nud reachable")
    call(h, None, prevResult=foreign).ok()
    for address in addresses:  # the IPv6 one is sent last
        until("the new MAC of " + address, lambda: known(address) == mac("pod", "eth0"))
    for address in not_ours:
        expect(known(address) == OLD, "announced: " + address, known(address))


def test_announce_false_is_silent(h):
    for own, other, announced in ((POD4, IP4, IP6), (POD6, IP6, IP4)):
        setup(h)
        remember_old()
        call(h, None, announce=False, prevResult=prev(ips=(own,))).ok()
        call(h, None, announce=True, prevResult=prev(ips=(POD4 if own == POD6 else POD6,))).ok()
        until("what was sent behind it", lambda: known(announced) == mac("pod", "eth0"))
        expect(known(other) == OLD, "announced", known(other))


def test_what_cannot_be_announced_fails_nothing(h):
    for env in ({"CNI_NETNS": "/gone"}, {"CNI_NETNS": "/run/netns/node"}, {"CNI_IFNAME": "eth7"}):
        call(h, None, prevResult=prev(ifname=env.get("CNI_IFNAME", "eth0")), env=env).ok()
    ip("pod", "link set eth0 down")
    call(h, None).ok()
    ip("pod", "link del eth0")
    ip("pod", "tuntap add eth0 mode tun")  # no MAC
    ip("pod", "link set eth0 up")
    chain.give_pod("pod", "eth0", POD4)
    call(h, None, prevResult=prev(ips=(POD4,))).ok()


def test_a_tentative_address_is_announced_when_the_kernel_has_finished(h):
    ip("pod", "addr del", POD6, "dev eth0")
    ip("pod", "addr add", POD6, "dev eth0")
    remember_old()
    expect(tentative(), "it is not tentative")
    call(h, None).ok()
    expect(switches("pod", "eth0")["ndisc_notify"] == "1", "switches", switches("pod", "eth0"))
    until("the new MAC", lambda: known(IP6) == mac("pod", "eth0"))


# ---- probe -------------------------------------------------------------------------

def test_without_a_duplicate_the_probe_succeeds_twice(h):
    for _ in range(2):
        got = call(h, chain.gateways(), probe=True).result()
        expect(got["routes"] == chain.gateways(), "result", got)


def test_a_duplicate_is_an_error_106_with_its_MAC_and_no_route_is_installed(h):
    for duplicate, address in ((POD4, IP4), (POD6, IP6)):
        setup(h)
        ip("lan", "addr add", duplicate, "dev n0", "nodad" if ":" in address else "")
        expect(call(h, chain.gateways()).rc == 0, "without the probe nobody sees it")
        setup(h)
        ip("lan", "addr add", duplicate, "dev n0", "nodad" if ":" in address else "")
        remember = known(address)
        call(h, chain.gateways(), probe=True).error(106, address, mac("lan", "n0"), "already on the wire")
        expect(chain.routes_of() == [], "routes", chain.routes_of())
        expect(known(address) == remember, "the owner learned the pod's MAC", known(address))


def test_another_interface_of_the_pod_is_no_duplicate(h):
    ip("lan", "link add br0 type bridge")
    ip("pod", "link add net1 type veth peer name n1 netns lan")
    for link in ("br0", "n1"):
        ip("lan", "link set", link, "up")
    ip("pod", "link set net1 up")
    for link in ("n0", "n1"):
        ip("lan", "link set", link, "master br0")
    # net1 answers for the addresses of eth0: that is how Linux treats ARP by default
    found = subprocess.run(["nsenter", "--net=/run/netns/pod", "sh", "-c", "cat /proc/sys/net/ipv4/conf/*/arp_ignore"],
                           check=True, capture_output=True, text=True).stdout
    expect(set(found.split()) == {"0"}, "arp_ignore", found)
    ip("pod", "addr add 10.131.0.43/23 dev net1")
    ip("pod", "addr add fd00:131::43/64 dev net1 nodad")
    call(h, None, probe=True).ok()


def test_an_interface_that_cannot_be_probed_is_refused(h):
    ip("pod", "link set eth0 down")
    call(h, None, probe=True).error(5, "cannot probe interface eth0", "Network is down")
    ip("pod", "link set eth0 up arp off")
    call(h, None, probe=True).error(7, "probe", "eth0")
    call(h, None, probe=True, env={"CNI_NETNS": "/run/netns/node"}).error(4, "own network namespace")
    call(h, None, probe=True, prevResult=prev(ips=()), env={"CNI_NETNS": "/gone"}).ok()  # nothing to probe


# ---- IPv6 settings -----------------------------------------------------------------

def test_ipv6_settings_reach_the_pod_and_nothing_else(h):
    ip("node", "link add eth0 type veth peer name peer0")
    on = {"accept_ra": "1", "autoconf": "1", "accept_dad": "1", "dad_transmits": "1", "ndisc_notify": "0"}
    others = [("node", "eth0"), ("node", "all"), ("node", "default"), ("pod", "lo"), ("pod", "all"), ("pod", "default")]
    before = [switches(*where) for where in others]
    expect(switches("pod", "eth0") == on, "at first", switches("pod", "eth0"))
    call(h, None, ipv6={}).ok()
    expect(switches("pod", "eth0") == on, "nothing written", switches("pod", "eth0"))
    off = dict(on)
    for key, names in (("acceptRA", ["accept_ra"]), ("autoconf", ["autoconf"]), ("dad", ["accept_dad", "dad_transmits"])):
        off.update((name, "0") for name in names)
        call(h, None, ipv6={key: False}).ok()
        expect(switches("pod", "eth0") == off, key, switches("pod", "eth0"))
    call(h, None, ipv6={"acceptRA": True, "autoconf": True, "dad": True}).ok()
    expect(switches("pod", "eth0") == on, "on again", switches("pod", "eth0"))
    set_switch("pod", "eth0", "accept_ra", 2)  # even where it forwards: that is on, too
    call(h, None, ipv6={"acceptRA": True}).ok()
    expect(switches("pod", "eth0")["accept_ra"] == "2", "accept_ra", switches("pod", "eth0"))
    expect(before == [switches(*where) for where in others], "others", before)


def test_CHECK_sees_a_changed_IPv6_setting(h):
    wanted = {"acceptRA": False, "autoconf": False, "dad": False}
    call(h, None, ipv6=wanted).ok()
    call(h, None, "CHECK", ipv6=wanted).silent()
    for name in ("accept_ra", "autoconf", "accept_dad", "dad_transmits"):
        set_switch("pod", "eth0", name, 1)
        call(h, None, "CHECK", ipv6=wanted).error(105, "net.ipv6.conf.eth0." + name)
        set_switch("pod", "eth0", name, 0)
    call(h, None, "CHECK", ipv6=dict(wanted, dad=True)).error(105, "is not on any more")
    call(h, None, "CHECK", ipv6={}).silent()


def test_values_of_a_wrong_type_and_unknown_keys_are_refused(h):
    for verb in ("ADD", "CHECK"):
        for key, value in (("announce", 1), ("announce", "true"), ("probe", "yes"), ("probe", []), ("ipv6", True),
                           ("ipv6", []), ("ipv6", {"dad": 0}), ("ipv6", {"autoconf": "no"}), ("ipv6", {"acceptRA": {}}),
                           ("ipv6", {"accept_ra": False}), ("ipv6", {"nodad": ["fd00::1/64"]})):
            call(h, None, verb, **{key: value}).error(7, key)
    expect(switches("pod", "eth0")["accept_ra"] == "1", "changed", switches("pod", "eth0"))


def test_an_address_is_usable_at_once_with_dad_false_and_routes_stay(h):
    ip("pod", "addr flush dev eth0 scope global")
    peer = "fd00:7::1 peer fd00:7::2/128"
    for address in (POD6, "fd00:131::44/64 noprefixroute", "fd00:132::1/64 metric 77", peer):
        ip("pod", "addr add", address, "dev eth0")
    ip("pod", "route add default via fd00:131::1 dev eth0")
    ip("pod", "route add fd09::/32 via fe80::1 dev eth0 metric 5 mtu 1400")
    before = sorted(ip("pod", "-6 route").splitlines())
    expect(tentative(), "not tentative", ip("pod", "-6 addr show dev eth0"))
    call(h, None, ipv6={"dad": False}).ok()
    expect(not tentative(), "tentative", ip("pod", "-6 addr show dev eth0"))
    shown = ip("pod", "-6 addr show dev eth0")
    for words in (POD6, "fd00:131::44/64", "noprefixroute", "metric 77", peer, "inet6 fe80::"):
        expect(words in shown, words, shown)
    # the kernel makes the route to a peer when the address is no longer tentative
    after = sorted(l for l in ip("pod", "-6 route").splitlines() if not l.startswith("fd00:7::2"))
    expect(before == after and len(before) == 6, "routes", before, after)
    ping = ["nsenter", "--net=/run/netns/pod", "ping", "-c1", "-W5", "-I", IP6, "fd00:131::9"]
    subprocess.run(ping, check=True, capture_output=True)


ADVERTISE = """
import socket, struct, sys
s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
link = socket.if_nametoindex("n0")
prefix = struct.pack("!BBBBIII16s", 3, 4, 64, 0xc0, 7200, 3600, 0, socket.inet_pton(socket.AF_INET6, sys.argv[1]))
s.sendto(struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0) + prefix, ("ff02::1", 0, 0, link))
"""


def advertise(prefix):
    """A router's advertisement of itself and of a prefix."""
    subprocess.run(["nsenter", "--net=/run/netns/lan", "python3", "-c", ADVERTISE, prefix], check=True)


def pod6():
    return ip("pod", "-6 addr show dev eth0") + ip("pod", "-6 route")


def without_time(text):
    return re.sub(r"[0-9]+sec", "", text)


def test_what_an_advertisement_left_goes_and_no_other_is_taken(h):
    for wanted, gone in (({"acceptRA": False}, ["fd00:aa::", "proto ra"]), ({"autoconf": False}, ["inet6 fd00:aa::"])):
        setup(h)
        until("usable addresses", lambda: not tentative() and "tentative" not in ip("lan", "-6 addr show dev n0"))
        advertise("fd00:aa::")
        until("what it makes", lambda: "inet6 fd00:aa::" in pod6() and "proto ra" in pod6())
        ip("pod", "addr add fd00:bb::1/64 dev eth0 valid_lft 1000 preferred_lft 1000 nodad")
        call(h, None, ipv6=wanted, prevResult=prev(ips=(POD4, POD6, "fd00:bb::1/64"))).ok()
        for words in gone:
            expect(words not in pod6(), words, pod6())
        for words in (POD6, "fd00:bb::1/64", "fd00:131::/64 dev eth0 proto kernel"):
            expect(words in pod6(), words, pod6())
        if "autoconf" in wanted:
            expect("proto ra" in pod6() and "fd00:aa::/64 dev eth0" in pod6(), "routes", pod6())
        left = pod6()
        advertise("fd00:cc::")
        advertise("fd00:131::")
        ping = ["nsenter", "--net=/run/netns/lan", "ping", "-c1", "-W5", IP6]  # it comes behind them
        subprocess.run(ping, check=True, capture_output=True)
        expect("inet6 fd00:cc::" not in pod6(), "a later one", pod6())
        if "acceptRA" in wanted:
            expect(without_time(pod6()) == without_time(left), "a later one", left, pod6())


def test_an_advertised_gateway_that_goes_is_not_what_auto_finds(h):
    chain.give_pod("pod", "eth0", "fd00:1::2/128")
    until("usable addresses", lambda: not tentative() and "tentative" not in ip("lan", "-6 addr show dev n0"))
    advertise("fd00:aa::")
    until("a router", lambda: "proto ra" in pod6())
    auto, result = [{"dst": "fd09::/32", "gw": "auto"}], prev(ips=("fd00:1::2/128",))
    call(h, auto, prevResult=result, ipv6={"acceptRA": False}).error(105, "finds no gateway")


def test_nodad_makes_the_named_addresses_usable_and_no_other(h):
    """Who gave an address knows whether it is unique: those of the tables are, others may not be."""
    ip("pod", "addr flush dev eth0 scope global")
    ip("pod", "link add net1 type veth peer name peer1")
    for link in ("net1", "peer1"):
        ip("pod", "link set", link, "up")
    # their detection lasts longer than this test, however busy the machine is
    set_switch("pod", "eth0", "dad_transmits", 200)
    addresses = [POD6, "fd00:131::44/64", "fd00:132::1/64", "fd00:133::1/64"]
    for address in addresses:
        ip("pod", "addr add", address, "dev eth0")
    ip("pod", "addr add fd00:131::45/64 dev net1")
    before = switches("pod", "eth0")
    call(h, None, announce=False, ipv6={"nodad": ["fd00:131::43/128", "fd00:132::/64"]}, prevResult=prev(ips=addresses)).ok()
    lines = [line.strip() for line in ip("pod", "-o -6 addr show dev eth0 scope global").splitlines()]
    waiting = sorted(line.split()[3] for line in lines if "tentative" in line)
    expect(waiting == ["fd00:131::44/64", "fd00:133::1/64"] and len(lines) == 4, "addresses", lines)
    kept = [line for line in lines if " nodad" in line]
    expect(len(kept) == 2, "a link that comes up again starts no detection", lines)
    expect(switches("pod", "eth0") == before, "switches", switches("pod", "eth0"))
    call(h, None, "CHECK", ipv6={"nodad": ["fd00:131::/64"]}, prevResult=prev(ips=addresses)).silent()


def test_dad_false_leaves_other_interfaces_alone(h):
    ip("pod", "link add net1 type veth peer name peer1")
    for link in ("net1", "peer1"):
        ip("pod", "link set", link, "up")
    ip("pod", "addr add fd00:133::1/64 dev net1")
    call(h, None, ipv6={"dad": False}).ok()
    expect("tentative" in ip("pod", "-6 addr show dev net1"), "net1", ip("pod", "-6 addr show dev net1"))


def test_settings_stay_when_ADD_fails_later_and_the_next_ADD_succeeds(h):
    wanted = {"acceptRA": False}
    call(h, [{"dst": "10.9.0.0/16", "gw": "203.0.113.1"}], ipv6=wanted).error(105)
    expect(switches("pod", "eth0")["accept_ra"] == "0", "switches", switches("pod", "eth0"))
    call(h, chain.gateways(), ipv6=wanted).ok()


# ---- IPv6 in routes ----------------------------------------------------------------

def test_routes_of_a_pod_with_a_127_or_a_128(h):
    dst = "fd09::/32"
    for pod, gateway, route in (("fd00:1::2/127", "fd00:1::3", {"dst": dst, "gw": "auto"}),
                                ("fd00:1::2/127", "fd00:1::3", {"dst": dst, "gw": "fd00:1::3"}),
                                ("fd00:1::2/128", "fe80::1", {"dst": dst, "gw": "fe80::1"}),
                                ("fd00:1::2/128", "fe80::1", {"dst": dst, "gw": "auto"})):
        chain.give_pod("pod", "eth0", pod)
        ip("pod", "-6 route flush proto static")
        result = prev(ips=(pod,))
        result["ips"][0]["gateway"] = gateway
        for verb in ("ADD", "ADD", "CHECK"):
            call(h, [route], verb, prevResult=result).ok()
        expect(chain.routes_of() == ["%s via %s dev eth0 proto static metric 1024 pref medium" % (dst, gateway)],
               pod, chain.routes_of())


def test_a_link_local_gateway_carries_traffic(h):
    ip("lan", "addr add fe80::1/64 dev n0 nodad")
    ip("lan", "addr add fd09::1/128 dev lo")
    ip("lan", "route add fd00:1::2/128 dev n0")
    chain.give_pod("pod", "eth0", "fd00:1::2/128")
    call(h, [{"dst": "::/0", "gw": "fe80::1"}], prevResult=prev(ips=("fd00:1::2/128",)), ipv6={"dad": False}).ok()
    subprocess.run(["nsenter", "--net=/run/netns/pod", "ping", "-c1", "-W5", "fd09::1"], check=True, capture_output=True)
