"""memcheck: what each source and each key of the plugin does in ADD, CHECK and DEL, in
real network namespaces; and what it says when it refuses."""
import os

import setting  # noqa: F401 (its path has what follows)
import chain
import grants
import tables
from chain import POD4, POD6, gateways, ip
from harness import Harness, expect, ipam_conf

LOG = "/run/bench/memcheck"
VALGRIND = ["/usr/bin/valgrind", "--error-exitcode=99", "--leak-check=full", "--show-leak-kinds=definite,indirect",
            "--errors-for-leak-kinds=definite,indirect", "--log-file=" + LOG]
# A kernel command line of our own, as the host's settings allow.
OWN_CMDLINE = ["unshare", "--mount", "sh", "-c", """mount -t tmpfs etc /etc && mkdir /etc/staticip &&
echo 'ro epoxy.ipv4=10.5.0.4/24,10.5.0.1,10.5.0.53, epoxy.ipv6=fd05::4/64,,,' >/run/bench/cmdline &&
echo '{"cmdline":"/run/bench/cmdline"}' >/etc/staticip/plugin.json && exec "$@" """, "sh"]

ROUTES = [{"dst": "10.9.0.0/16"}, {"dst": "fd09::/32"}]
BOTH = [{"address": "10.3.0.5/24", "gateway": "10.3.0.1"}, {"address": "fd03::5/64"}]
# name: the ipam block
SOURCES = {
    "tables": {"wait": 0},
    "allocations": {"gateway": "10.3.0.1", "routes": ROUTES, "allocations": [
        {"namespace": "default", "pod": "q", "address": "10.3.0.4/24"},
        {"namespace": "default", "pod": "p", "address": "10.3.0.5/24"}, {"namespace": "default", "pod": "p", "address": "fd03::5/64"}]},
    "addresses": {"addresses": BOTH, "routes": ROUTES, "dns": {"nameservers": ["10.3.0.53"], "search": ["a.b"], "options": ["x"]}},
    "subnet": {"subnet": "10.4.0.0/24", "rangeStart": "10.4.0.9", "rangeEnd": "10.4.0.99", "fixedStart": "10.4.0.9",
               "fixedEnd": "10.4.0.19", "resolvConf": "/etc/resolv.conf"},
    "ranges": {"ranges": [[{"subnet": "10.4.0.0/24"}, {"subnet": "10.4.1.0/24", "gateway": "10.4.1.9"}], [{"subnet": "fd04::/64"}]]},
    "index of an interface": {"index": 7, "hostAddress": {"from": "interface", "name": "br-ex"}},
    "index of the default route": {"index": 7, "hostAddress": {"from": "default-route"}, "routes": ROUTES},
    "index of the command line": {"index": 7, "ipv6Mapping": "decimal"},
}
# name: the keys of the chained role
KEYS = {
    "nothing": {},
    "routes": {"routes": gateways() + [{"dst": "host", "gw": "auto"}, {"dst": "10.8.0.0/16", "gw": "auto", "mtu": 1400, "table": 9}]},
    "routes of every kind": {"routes": [
        {"dst": "10.8.0.0/16", "nexthops": [{"gw": "10.131.0.1"}, {"gw": "10.131.0.2", "onlink": True, "weight": 3}]},
        {"dst": "10.66.0.0/16", "type": "blackhole"}, {"dst": "10.67.0.0/16", "gw": "10.131.0.1", "src": POD4.split("/")[0]}]},
    "rules": {"rules": [{"from": "10.131.0.43/32", "table": 7}, {"to": "fd09::/32", "table": 7, "priority": 9}], "routes": gateways()},
    "sourceRouting": {"sourceRouting": {"gateways": ["10.131.0.1", "fd00:131::1"], "addSourceHints": True}},
    "delRoutes": {"delRoutes": [{"dst": "10.7.0.0/16"}, {"dst": "10.99.0.0/16"}]},
    "flushes": {"flushRoutes": True, "flushGateway": True, "routes": gateways()},
    "announce and probe": {"probe": True, "announce": True},
    "ipv6": {"ipv6": {"acceptRA": False, "autoconf": False, "dad": False}},
    "another interface, args": {"interface": "eth0", "allowArgs": True, "args": {"cni": {"routes": [{"dst": "10.8.0.0/16", "gw": "10.131.0.1"}]}}},
}
# name: (what is refused, its code)
REFUSED = {
    "a source beside another": (ipam_conf(ipam=dict(SOURCES["addresses"], **SOURCES["subnet"], type="staticip")), 7),
    "an address that is wrong": (ipam_conf(ipam={"type": "staticip", "addresses": [{"address": "10.3.0.300/24"}]}), 7),
    "a source on the tables' network": (ipam_conf(ipam=dict(SOURCES["ranges"], type="staticip")), 102),
    "JSON with a key twice": (b'{"cniVersion": "1.0.0", "name": "mynet", "name": "mynet"}', 6),
    "JSON that ends early": (b'{"cniVersion": "1.0.0", "ipam": [[[{"a": "\\ud834', 6),
}


def who(container, uid="u-1", pod="p"):
    return {"CNI_CONTAINERID": container, "CNI_NETNS": "/run/netns/pod",
            "CNI_ARGS": "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=%s;K8S_POD_UID=%s" % (pod, uid)}


class Memcheck:
    """Calls the plugin under valgrind, which must see the heap and find nothing."""

    def __init__(self, plugin):
        self.h = Harness(plugin)

    def prepare(self):
        """A node and a pod; no tables."""
        chain.setup(self.h)
        if os.path.islink(tables.ROOT):
            os.unlink(tables.ROOT)  # what was measured must not be emptied
        os.makedirs(tables.ROOT, exist_ok=True)
        tables.clear()
        tables.forget_leases()
        for name in ("node", "marker"):
            if os.path.exists("%s/%s" % (tables.ROOT, name)):
                os.unlink("%s/%s" % (tables.ROOT, name))

    def call(self, verb, conf, env, wrap=(), code=0):
        """The answer, which is a refusal where code is one."""
        if os.path.exists(LOG):
            os.unlink(LOG)
        answer = self.h.call(verb, conf, env, wrap=list(wrap) + VALGRIND, timeout=120)
        with open(LOG) as file:
            log = file.read()
        expect(answer.rc != 99, "%s: memcheck" % verb, log[:4000])
        expect("HEAP SUMMARY" in log and "total heap usage: 0 allocs" not in log, "memcheck does not see the heap", log[:4000])
        if code:
            answer.error(code)
        else:
            answer.ok()
        return answer

    def life(self, conf, env, wrap=()):
        """ADD, CHECK and DEL; and DEL again, as runtimes do."""
        result = self.call("ADD", conf, env, wrap).result()
        later = dict(conf, prevResult=result)
        self.call("CHECK", later, env, wrap)
        for _ in range(2):
            self.call("DEL", later, env, wrap)


def publish(grants_required=False):
    row = {"p": "default/a", "ips": ["10.0.2.40/24", "fd00:2::40/64"], "gw": ["10.0.2.1"]}
    tables.publish({"mynet": tables.network("mynet", grants_required)},
                   {"mynet/default/p": row, "mynet/default/q": row}, {"default/a": {"uid": "u-1", "routes": ROUTES}})


def of_source(memcheck, name):
    memcheck.prepare()
    if name == "tables":
        publish()
    memcheck.life(ipam_conf(ipam=dict(SOURCES[name], type="staticip")), who("c1"), OWN_CMDLINE if "command line" in name else ())


def of_key(memcheck, name):
    memcheck.prepare()
    ip("pod", "route add 10.7.0.0/16 via 10.131.0.1")
    ip("pod", "route add default via 10.131.0.1")
    memcheck.life(dict({"cniVersion": "1.0.0", "name": "mynet", "type": "staticip", "prevResult": chain.prev()}, **KEYS[name]), who("c1"))


def of_grants(memcheck):
    memcheck.prepare()
    publish(True)
    grants.mark()
    conf = ipam_conf(ipam={"type": "staticip", "wait": 0})
    grants.node(grants.held())
    memcheck.call("ADD", conf, who("c1"), code=11)
    grants.node(grants.given(ip="10.0.2.77/24"))
    memcheck.life(conf, who("c1"))


def of_contention(memcheck):
    """Another pod is refused, after a wait too; a new sandbox of the same pod takes over."""
    memcheck.prepare()
    publish()
    conf = ipam_conf(ipam={"type": "staticip", "wait": 1})
    memcheck.call("ADD", conf, who("c1"))
    memcheck.call("ADD", conf, who("c9", "u-9", "q"), code=11)
    memcheck.call("ADD", conf, who("c2"))
    memcheck.call("DEL", conf, who("c1"))
    memcheck.call("DEL", conf, who("c2"))
    expect(not os.listdir(tables.ROOT + "/leases/network/mynet"), "a lease is left")


def of_collection(memcheck):
    """GC of what a vanished pod left, STATUS and VERSION."""
    memcheck.prepare()
    publish()
    conf = ipam_conf("1.1.0")
    for verb in ("STATUS", "VERSION"):
        memcheck.call(verb, conf, who("c1"))
    memcheck.call("ADD", conf, dict(who("c1"), CNI_NETNS="/nowhere"))
    memcheck.call("GC", dict(conf, **{"cni.dev/valid-attachments": [{"containerID": "c3", "ifname": "eth0"}]}), who("c1"))
    expect(not os.listdir(tables.ROOT + "/leases/network/mynet"), "a lease is left")


def of_refusal(memcheck, name):
    memcheck.prepare()
    publish()
    conf, code = REFUSED[name]
    memcheck.call("ADD", conf, who("c1"), code=code)


def of_a_stranger(memcheck):
    """A pod that no row names, a verb that CNI does not have."""
    memcheck.prepare()
    publish()
    memcheck.call("ADD", ipam_conf(), who("c1", pod="nobody"), code=100)
    memcheck.call("NOVERB", ipam_conf(), who("c1"), code=4)


def check(gates, plugin):
    memcheck = Memcheck(plugin)
    for kind, act, names in (("the source", of_source, SOURCES), ("the chained role with", of_key, KEYS), ("refusing", of_refusal, REFUSED)):
        for name in names:
            gates.case("memcheck, %s %s" % (kind, name), act, memcheck, name)
    for act in (of_grants, of_contention, of_collection, of_a_stranger):
        gates.case("memcheck, " + act.__name__[3:].replace("_", " "), act, memcheck)
