"""The chained role's whole model of routes and rules, against a real kernel: each key does
what it says, is there exactly, and is not made twice."""
import json

from chain import POD4, POD6, call, gateways, ip, prev, routes_of, setup  # noqa: F401 (setup: of each test)
from harness import expect

ECMP4 = {"dst": "10.9.0.0/16", "nexthops": [{"gw": "10.131.0.1", "weight": 3}, {"gw": "10.131.0.2"},
                                            {"gw": "192.0.2.1", "onlink": True, "weight": 256}]}
ECMP6 = {"dst": "fd09::/32", "nexthops": [{"gw": "fd00:131::1"}, {"gw": "fd00:131::2", "weight": 5}]}


def listed(family, *words):
    return [" ".join(l.split()) for l in ip("pod", "-%d" % family, "route show", *words).splitlines()]


def twice(h, routes, **more):
    got = call(h, routes, **more).result()
    before = routes_of()
    expect(call(h, routes, **more).result() == got, "another answer", got)
    expect(routes_of() == before, "a second ADD changes something", before, routes_of())
    call(h, routes, "CHECK", **more).silent()
    return got


def test_routes_that_lead_nowhere(h):
    kinds = ("blackhole", "unreachable", "prohibit")
    entries = [{"dst": "10.%d.0.0/16" % (i + 60), "type": t, "priority": 5} for i, t in enumerate(kinds)]
    entries += [{"dst": "fd%d::/32" % (i + 60), "type": t, "table": 7} for i, t in enumerate(kinds)]
    got = twice(h, entries + [{"dst": "10.9.0.0/16", "gw": "10.131.0.1", "type": "unicast"}])
    for i, t in enumerate(kinds):
        expect("%s 10.%d.0.0/16 proto static metric 5" % (t, i + 60) in listed(4), t, listed(4))
        expect(any(l.startswith("%s fd%d::/32 dev lo proto static metric 1024" % (t, i + 60)) for l in listed(6, "table 7")),
               t, listed(6, "table 7"))
    # a result has no word for them: another plugin would read a route on the link
    expect(got["routes"] == [{"dst": "10.9.0.0/16", "gw": "10.131.0.1"}], "result", got)
    call(h, [{"dst": "10.60.0.0/16", "type": "prohibit", "priority": 5}], "CHECK").error(105, "prohibit 10.60.0.0/16")
    call(h, [{"dst": "10.60.0.0/16", "type": "prohibit", "priority": 5}]).error(105, "another route")


def test_a_gateway_outside_every_subnet_needs_onlink(h):
    for dst, gw in (("10.9.0.0/16", "192.0.2.1"), ("fd09::/32", "fd99::1")):
        call(h, [{"dst": dst, "gw": gw}]).error(105, gw, '"onlink": true')
        got = twice(h, [{"dst": dst, "gw": gw, "onlink": True}])
        expect(got["routes"] == [{"dst": dst, "gw": gw}], "result", got)
    expect("10.9.0.0/16 via 192.0.2.1 dev eth0 proto static onlink" in listed(4), "kernel", listed(4))
    expect(any("via fd99::1 dev eth0" in l and "onlink" in l for l in listed(6)), "kernel", listed(6))
    call(h, [dict(ECMP4, nexthops=[{"gw": "10.131.0.1"}, {"gw": "198.51.100.1"}], priority=9)]).error(105, '"onlink": true')


def test_a_preferred_source(h):
    entries = [{"dst": "10.9.0.0/16", "gw": "10.131.0.1", "src": "10.131.0.43"}, {"dst": "fd09::/32", "src": "fd00:131::43"},
               {"dst": "host", "gw": "auto", "src": "10.131.0.43"}]
    twice(h, entries)
    expect("10.9.0.0/16 via 10.131.0.1 dev eth0 proto static src 10.131.0.43" in listed(4), "kernel", listed(4))
    expect(any(l.startswith("fd09::/32 dev eth0 proto static src fd00:131::43") for l in listed(6)), "kernel", listed(6))
    ip("pod", "addr add 10.131.0.44/23 dev eth0")
    call(h, [dict(entries[0], src="10.131.0.44")], "CHECK").error(105)
    call(h, [dict(entries[0], src="10.131.0.99", priority=3)]).error(105, "prefsrc")
    ip("pod", "route replace 10.9.0.0/16 via 10.131.0.1 src 10.131.0.44")
    call(h, entries, "CHECK").error(105, "10.9.0.0/16")


def test_several_next_hops(h):
    got = twice(h, [ECMP4, ECMP6, gateways()[0] | {"priority": 50}])
    expect(got["routes"] == [gateways()[0] | {"priority": 50}], "result", got)
    text = " ".join(listed(4, "10.9.0.0/16"))
    for words in ("nexthop via 10.131.0.1 dev eth0 weight 3", "nexthop via 10.131.0.2 dev eth0 weight 1",
                  "nexthop via 192.0.2.1 dev eth0 weight 256 onlink"):
        expect(words in text, words, text)
    text = " ".join(listed(6, "fd09::/32"))
    for words in ("nexthop via fd00:131::1 dev eth0 weight 1", "nexthop via fd00:131::2 dev eth0 weight 5"):
        expect(words in text, words, text)


def test_CHECK_knows_each_next_hop(h):
    changed = []
    for i, change in ((0, {"gw": "10.131.0.9"}), (0, {"weight": 4}), (1, {"onlink": True})):
        hops = json.loads(json.dumps(ECMP4["nexthops"]))
        hops[i].update(change)
        changed.append(dict(ECMP4, nexthops=hops))
    changed += [dict(ECMP4, nexthops=ECMP4["nexthops"][:2]), gateways()[0]]
    for wrong in changed:
        setup(h)
        call(h, [ECMP4]).ok()
        call(h, [wrong], "CHECK").error(105)
        call(h, [wrong]).error(105, "another route")
    # the order does not matter; the kernel keeps one hop as a plain gateway
    call(h, [dict(ECMP4, nexthops=ECMP4["nexthops"][::-1])], "CHECK").silent()
    got = twice(h, [{"dst": "10.8.0.0/16", "nexthops": [{"gw": "10.131.0.1", "weight": 7}]}])
    expect(got["routes"] == [{"dst": "10.8.0.0/16", "gw": "10.131.0.1"}], "result", got)
    # for IPv6 whoever appends a route adds a hop to ours
    call(h, [ECMP6]).ok()
    ip("pod", "-6 route append fd09::/32 via fd00:131::7")
    call(h, [ECMP6], "CHECK").silent()
    ip("pod", "-6 route del fd09::/32 via fd00:131::2")
    call(h, [ECMP6], "CHECK").error(105, "fd09::/32")


def test_sixteen_next_hops_and_no_more(h):
    hops = [{"gw": "10.131.0.%d" % (i + 1)} for i in range(16)]
    twice(h, [dict(ECMP4, nexthops=hops), dict(ECMP6, nexthops=[{"gw": "fd00:131::%x" % (i + 1)} for i in range(16)])])
    call(h, [dict(ECMP4, nexthops=hops + [{"gw": "10.131.0.99"}])]).error(7, "nexthops", "16")
    # another's route may have more: it is not touched, and its place is taken
    ip("pod", "route add 10.7.0.0/16", *("nexthop via 10.131.0.%d" % (i + 1) for i in range(20)))
    call(h, [dict(ECMP4, dst="10.7.0.0/16", nexthops=hops)]).error(105, "another route")
    call(h, [], delRoutes=[{"dst": "10.7.0.0/16"}]).ok()
    expect("10.7.0.0/16" in ip("pod", "route"), "kernel", ip("pod", "route"))


def test_several_next_hops_are_rolled_back(h):
    call(h, [ECMP4, ECMP6, {"dst": "10.6.0.0/16", "type": "blackhole"}, {"dst": "fd06::/32", "type": "unreachable"},
             {"dst": "10.9.0.0/16", "gw": "203.0.113.1", "priority": 7}]).error(105)
    expect(routes_of() == [], "left behind", routes_of())


def test_table_zero_is_the_main_one(h):
    twice(h, [dict(gateways()[0], table=0), dict(gateways()[1], table=0)])


def rules(family=4):
    lines = [" ".join(l.split()) for l in ip("pod", "-%d" % family, "rule show").splitlines()]
    return [l for l in lines if "proto static" in l]


RULES = [{"from": "10.131.0.43/32", "table": 100, "priority": 10}, {"to": "10.9.0.0/16", "table": 1000},
         {"from": "10.131.0.0/23", "to": "192.0.2.0/24", "table": 7, "priority": 5},
         {"from": "FD00:131:0::43/128", "table": 100, "priority": 11}, {"to": "::/0", "table": 9, "priority": 12}]


def test_rules_are_added_once(h):
    got = twice(h, None, rules=RULES)
    expect("routes" not in got, "result", got)
    expect(rules() == ["5: from 10.131.0.0/23 to 192.0.2.0/24 lookup 7 proto static", "10: from 10.131.0.43 lookup 100 proto static",
                       "30000: from all to 10.9.0.0/16 lookup 1000 proto static"], "IPv4", rules())
    expect(rules(6) == ["11: from fd00:131::43 lookup 100 proto static", "12: from all lookup 9 proto static"], "IPv6", rules(6))
    call(h, None, rules=RULES).ok()
    expect(len(rules() + rules(6)) == 5, "twice", rules())


def test_CHECK_and_DEL_of_rules_are_exact(h):
    changes = ("rule del from 10.131.0.43 lookup 100", "rule del to 10.9.0.0/16", "rule del priority 5",
               "-6 rule del priority 11", "-6 rule del priority 12")
    for rule, change in zip(RULES, changes):
        setup(h)
        call(h, None, rules=RULES).ok()
        ip("pod", change)
        call(h, None, "CHECK", rules=RULES).error(105, "rule ", "lookup %d" % rule["table"], "is not in the pod any more")
    setup(h)
    call(h, None, rules=RULES).ok()
    # like ours but for one thing: another's
    others = ["from 10.131.0.43 lookup 100 priority 11", "from 10.131.0.43 lookup 101 priority 10",
              "from 10.131.0.43 fwmark 7 lookup 100 priority 10", "from 10.131.0.43 iif eth0 lookup 100 priority 10",
              "not from 10.131.0.43 lookup 100 priority 10", "from 10.131.0.43 tos 4 lookup 100 priority 10",
              "from 10.131.0.43 ipproto tcp lookup 100 priority 10", "from 10.131.0.43 lookup 100 suppress_prefixlength 0 priority 10",
              "from 10.131.0.43 blackhole priority 10"]
    for other in others:
        ip("pod", "rule add", other)
    call(h, None, "DEL", rules=RULES).silent()
    expect(rules() + rules(6) == [], "rules", rules())
    left = ip("pod", "rule show")
    expect(len(left.splitlines()) == 3 + len(others), "another's rule was touched", left)
    call(h, None, "CHECK", rules=RULES[:1]).error(105, "rule from 10.131.0.43/32 lookup 100 priority 10")
    call(h, None, "DEL", rules=RULES).silent()


def test_rules_and_routes_come_together_or_not_at_all(h):
    both = [{"dst": "10.9.0.0/16", "gw": "10.131.0.1", "table": 100}]
    twice(h, both, rules=RULES)
    setup(h)
    call(h, both + [{"dst": "10.8.0.0/16", "gw": "203.0.113.1"}], rules=RULES).error(105, "203.0.113.1")
    expect(rules() + rules(6) + routes_of() == [], "left behind", rules(), routes_of())
    before = ip("node", "rule")
    call(h, None, rules=RULES, env={"CNI_NETNS": "/run/netns/node"}).error(4, "own network namespace")
    call(h, None, "DEL", rules=RULES, env={"CNI_NETNS": "/run/netns/node"}).silent()
    expect(ip("node", "rule") == before, "the node's rules", ip("node", "rule"))


def test_who_made_a_rule_does_not_matter(h):
    ip("pod", "rule add from 10.131.0.43 lookup 100 priority 10 protocol 77")
    twice(h, gateways(), rules=RULES)
    expect(ip("pod", "rule").count("10.131.0.43 lookup 100") == 1, "twice", ip("pod", "rule"))


def test_wrong_rules_are_refused_before_anything_is_touched(h):
    for bad, words in ((7, "rules[0]"), ({}, "rules[0]"), ({"table": 7}, "neither from nor to"), ({"from": "10.0.0.0/8"}, "table"),
                       ({"from": "10.0.0.0/8", "table": 0}, "table"), ({"from": "10.0.0.0/8", "table": -1}, "table"),
                       ({"from": "10.0.0.1", "table": 7}, "rules[0].from"), ({"to": "x", "table": 7}, "rules[0].to"),
                       ({"from": "10.0.0.0/8", "to": "fd00::/8", "table": 7}, "two families"),
                       ({"from": "10.0.0.0/8", "table": 7, "priority": "x"}, "priority"),
                       ({"from": "10.0.0.0/8", "table": 7, "iif": "eth0"}, "rules[0].iif")):
        call(h, gateways(), rules=[bad]).error(7, words)
    call(h, gateways(), rules={}).error(7, "rules")
    call(h, gateways(), rules=[{"to": "10.0.0.0/8", "table": 7}] * 65).error(7, "rules", "64")
    expect(rules() + routes_of() == [], "touched", rules(), routes_of())


def test_wrong_keys_of_the_model_are_refused(h):
    base = {"dst": "10.9.0.0/16"}
    for more, words in (({"onlink": True}, "onlink"), ({"gw": "10.131.0.1", "onlink": "yes"}, "onlink"), ({"src": "x"}, "src"),
                        ({"src": "fd00::1"}, "two families"), ({"type": "throw"}, "type"), ({"type": 7}, "type"),
                        ({"type": "blackhole", "gw": "10.131.0.1"}, "leads nowhere"), ({"type": "prohibit", "src": "10.131.0.43"}, "leads nowhere"),
                        ({"type": "unreachable", "nexthops": [{"gw": "10.131.0.1"}]}, "leads nowhere"), ({"nexthops": []}, "nexthops"),
                        ({"nexthops": [7]}, "nexthops[0]"), ({"nexthops": [{}]}, "nexthops[0]"), ({"nexthops": [{"gw": "fd00::1"}]}, "two families"),
                        ({"nexthops": [{"gw": "10.131.0.1", "weight": 0}]}, "weight"), ({"nexthops": [{"gw": "10.131.0.1", "weight": 257}]}, "weight"),
                        ({"nexthops": [{"gw": "10.131.0.1", "dev": "x"}]}, "nexthops[0].dev"), ({"nexthops": [{"gw": "auto"}]}, "nexthops[0].gw"),
                        ({"nexthops": [{"gw": "10.131.0.1"}, {"gw": "10.131.0.1"}]}, "twice"), ({"nexthops": {}}, "nexthops"),
                        ({"gw": "10.131.0.1", "nexthops": [{"gw": "10.131.0.2"}]}, "gw and nexthops"),
                        ({"onlink": True, "nexthops": [{"gw": "10.131.0.2"}]}, "onlink and nexthops")):
        call(h, [dict(base, **more)]).error(7, "routes[0]", words)
    call(h, [{"dst": "host", "nexthops": [{"gw": "10.131.0.1"}]}]).error(7, "host", "nexthops")
    expect(routes_of() == [], "touched", routes_of())


def test_a_result_of_several_interfaces_or_none(h):
    ip("pod", "link add net1 type veth peer name peer1")
    many = prev(ips=(POD4,), version="1.1.0")
    many["interfaces"] += [{"name": "net1", "sandbox": "/run/netns/pod", "mtu": 1400}, {"name": "eth0"}]
    many["ips"].append({"address": "192.168.7.7/24", "interface": 2})
    got = twice(h, [{"dst": "10.9.0.0/16", "gw": "auto"}], version="1.1.0", prevResult=many)
    expect(got["routes"] == gateways()[:1] and got["interfaces"] == many["interfaces"], "result", got)
    setup(h)
    nothing = {"cniVersion": "1.0.0"}
    got = twice(h, gateways(), prevResult=nothing, rules=RULES[:1], delRoutes=[{"dst": "9.9.9.9/32"}], flushGateway=True)
    expect(got == {"cniVersion": "1.0.0", "routes": gateways()}, "result", got)


def test_routes_are_listed_once_however_often_they_are_there(h):
    """A repeated ADD of 60 routes: one list of links, one of routes."""
    many = [{"dst": "10.%d.0.0/16" % i, "gw": "10.131.0.1"} for i in range(60, 120)]
    call(h, many).ok()
    conf = {"cniVersion": "1.0.0", "name": "mynet", "type": "staticip", "routes": many, "prevResult": prev(),
            "announce": False}
    # the leak checker of a sanitizer build cannot work under strace
    trace = h.call("ADD", conf, {"CNI_NETNS": "/run/netns/pod", "CNI_ARGS": "", "ASAN_OPTIONS": "detect_leaks=0"},
                   wrap=("strace", "-qq", "-e", "trace=sendto,sendmsg")).ok()
    sent = [l for l in trace.stderr.decode().splitlines() if l.startswith("send")]
    expect(len(sent) == 2, "messages to the kernel", sent)
