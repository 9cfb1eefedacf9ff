"""The chained role when the kernel, the runtime or the configuration is at its worst: each
system call that can fail does, an ADD ends at each of its requests, and the odd values that
the kernel takes in its own way."""
import os
import re
import time

import chain
import source_routing
from chain import ip
from harness import expect

TRACE = "/run/work/trace"


def setup(h):
    source_routing.setup(h)
    ip("pod", "-6 addr add fd00:2::9/64 dev net1 nodad")
    until = time.monotonic() + 5  # the kernel makes the address's own route when it has time
    while "fd00:2::9" not in ip("pod", "-6 route show table local"):
        expect(time.monotonic() < until, "no local route")
        time.sleep(0.001)
    ip("pod", "route add 10.44.0.0/16 via 192.168.1.3 dev net1")
    ip("pod", "-6 route add fd44::/16 via fd00:2::3 dev net1")


def whole():
    """All routes and rules of the pod."""
    return source_routing.everything()


def test_CHECK_misses_an_address_that_went_away(h):
    addresses = [a for a, _ in RESULT]
    for conf in ({}, {"routes": [{"dst": "10.50.0.0/16", "gw": "192.168.1.7"}]}):
        call(h, conf).ok()
        call(h, conf, "CHECK").silent()
        for address in addresses:
            nodad = " nodad" if ":" in address else ""
            ip("pod", "addr del %s dev net1" % address)
            call(h, conf, "CHECK").error(105, "address %s is not on interface net1" % address, "delete the pod")
            ip("pod", "link add other0 type veth peer name other1")
            ip("pod", "addr add %s dev other0%s" % (address, nodad))  # moved is not there either
            call(h, conf, "CHECK").error(105, "address %s is not on interface net1" % address)
            setup(h)
            call(h, conf).ok()
        call(h, conf, "CHECK").silent()
    ip("pod", "link set net1 name net2")
    call(h, {}, "CHECK").error(105, "net1")


def test_CHECK_tolerates_what_a_later_plugin_made_of_an_address(h):
    call(h, {}).ok()
    for more in ("192.168.1.210/24", "10.99.0.1/32", "fd00:2::77/64 nodad"):
        ip("pod", "addr add %s dev net1" % more)
    call(h, {}, "CHECK").silent()
    for address, changed in ((RESULT[0][0], "192.168.1.209/25 noprefixroute"), (RESULT[0][0], "192.168.1.209 peer 192.168.1.1/32"),
                             (RESULT[1][0], "fd00:2::9/128 nodad"), (RESULT[1][0], "fd00:2::9/64 nodad valid_lft 1000 preferred_lft 0")):
        setup(h)
        ip("pod", "addr del %s dev net1" % address)
        ip("pod", "addr add %s dev net1" % changed)
        call(h, {}, "CHECK").silent()


def test_CHECK_looks_for_an_address_without_interface_on_all_links(h):
    away = [{"address": "10.88.0.1/32"}]
    call(h, {}, "CHECK", ips=away).error(105, "10.88.0.1/32")
    ip("pod", "addr add 10.88.0.1/32 dev lo")
    call(h, {}, "CHECK", ips=away).silent()


# what makes each kind of change: flush, delete, tables and rules of addresses, routes, rules
CHANGES = {"flushRoutes": True, "delRoutes": [{"dst": "192.168.2.0/24"}],
           "routes": [{"dst": "10.50.0.0/16", "gw": "192.168.1.7", "mtu": 1400}, {"dst": "fd50::/16", "gw": "fd00:2::7"},
                      {"dst": "10.51.0.0/16", "nexthops": [{"gw": "192.168.1.8"}, {"gw": "192.168.1.9"}]}],
           "rules": [{"from": "192.168.1.209/32", "table": 100, "priority": 77}]}
RESULT = (("192.168.1.209/24", "192.168.1.1"), ("fd00:2::9/64", "fd00:2::1"))
KINDS = (dict(CHANGES, sourceRouting=False), dict(CHANGES, sourceRouting=True, flushRoutes=False, delRoutes=[]),
         dict(CHANGES, sourceRouting={"addSourceHints": True}, flushRoutes=False, delRoutes=[]))


def call(h, conf, verb="ADD", inject=None, ips=()):
    """One call of the plugin; inject as strace spells it: sendmsg:error=ENOBUFS:when=3."""
    version = "1.0.0"
    ips = [{"address": a, "gateway": g, "interface": 0} for a, g in RESULT] + list(ips)
    prev = {"cniVersion": version, "interfaces": [{"name": "net1", "sandbox": "/run/netns/pod"}], "ips": ips}
    conf = dict({"cniVersion": version, "name": "mynet", "type": "staticip", "announce": False, "prevResult": prev}, **conf)
    name = (inject or "").split(":")[0]
    wrap = ["strace", "-o", TRACE, "-e", "trace=" + name, "-e", "inject=" + inject] if inject else []
    # the leak checker of a sanitizer build cannot work under strace
    return h.call(verb, conf, {"CNI_NETNS": "/run/netns/pod", "CNI_IFNAME": "net1", "CNI_ARGS": "",
                               "ASAN_OPTIONS": "detect_leaks=0"}, wrap=wrap)


def injected():
    """Whether the call that was to fail was made at all."""
    with open(TRACE) as file:
        return bool(re.search(r"INJECTED|\+\+\+ killed by", file.read()))


def each_failure(h, conf, syscall, action, judge):
    number = 1
    while number < 200:
        setup(h)
        before = whole()
        answer = call(h, conf, inject="%s:%s:when=%d" % (syscall, action, number))
        if not injected():
            break
        judge("%s number %d" % (syscall, number), answer, before)
        number += 1
    return number - 1


def nothing_stays(what, answer, before):
    if answer.rc == 0:
        raise AssertionError("%s fails and ADD does not see it" % what)
    error = answer.json()
    expect("left behind" not in answer.text, what + ": something is left behind", answer.text)
    expect(error["code"] in (4, 5, 105), what + ": code", answer.text)
    expect(whole() == before, what + ": routes or rules stay", answer.text, before, whole())


def test_all_or_nothing_whichever_request_cannot_be_sent(h):
    for conf in KINDS:
        count = each_failure(h, conf, "sendmsg", "error=ENOBUFS", nothing_stays)
        expect(count > 8, "few requests", count)


def test_all_or_nothing_whichever_answer_is_lost(h):
    for conf in KINDS[:2]:
        count = each_failure(h, conf, "recvmsg", "error=ENOBUFS", nothing_stays)
        expect(count > 8, "few answers", count)


def test_an_ADD_that_was_killed_is_repeated_and_ended(h):
    for conf in KINDS:
        setup(h)
        call(h, conf).ok()
        wanted = whole()

        def judge(what, answer, before):
            again = call(h, conf)
            expect(again.rc == 0, what + ": the second ADD fails", again.text)
            expect(whole() == wanted, what + ": another outcome", wanted, whole())
            call(h, conf, "CHECK").silent()
            call(h, conf, "DEL").silent()
            rules = ip("pod", "rule show") + ip("pod", "-6 rule show")
            expect("31000:" not in rules and "77:" not in rules, what + ": rules stay", rules)
        expect(each_failure(h, conf, "sendmsg", "signal=KILL", judge) > 8, "few requests")


def test_DEL_succeeds_whatever_fails(h):
    for syscall in ("sendmsg", "recvmsg", "socket", "setns", "openat", "bind"):
        for number in range(1, 9):
            setup(h)
            call(h, KINDS[1]).ok()
            if syscall == "setns" and number == 2:
                continue  # the way back: nothing can go on in a foreign namespace
            call(h, KINDS[1], "DEL", "%s:error=ENOMEM:when=%d" % (syscall, number)).silent()


def check_after(h, conf):
    """ADD, the same ADD, and CHECK with the result of the first."""
    added = call(h, conf).result()
    before = whole()
    expect(call(h, conf).result() == added and whole() == before, "a second ADD changes something", added)
    call(h, dict(conf, prevResult=added), "CHECK").silent()
    return added


def test_values_that_the_kernel_takes_in_its_own_way_are_known_again(h):
    for more in ({"mtu": 0}, {"advmss": 0}, {"mtu": 65535}, {"mtu": 1000000}, {"mtu": 1}, {"advmss": 65495}, {"priority": 0},
                 {"table": 0}, {"table": 4294967295}, {"priority": 4294967295}, {"scope": 200}):
        for dst, gw in (("10.60.0.0/16", "192.168.1.1"), ("fd60::/16", "fd00:2::1")):
            setup(h)
            before = whole()
            # the last one fails: what was made goes again
            wrong = [dict(more, dst=dst, gw=gw), {"dst": "10.61.0.0/16", "gw": "203.0.113.9"}]
            if "scope" in more:
                wrong[0].pop("gw")
            expect("left behind" not in call(h, {"routes": wrong}).error(105)["msg"], "left behind", more)
            expect(whole() == before, "it stays", more, before, whole())
            check_after(h, {"routes": wrong[:1]})


def test_a_rule_of_priority_0_is_known_again_and_only_it_goes(h):
    ip("pod", "rule add from 192.168.1.209 lookup 7 priority 5")
    conf = {"rules": [{"from": "192.168.1.209/32", "table": 7, "priority": 0}]}
    before = whole()
    check_after(h, conf)
    call(h, conf, "DEL").silent()
    expect(whole() == before, "after DEL", before, whole())


def test_no_address_at_all_is_no_gateway_and_no_source(h):
    for entry in ({"dst": "10.9.0.0/16", "gw": "0.0.0.0"}, {"dst": "fd09::/16", "gw": "::"},
                  {"dst": "10.9.0.0/16", "gw": "192.168.1.1", "src": "0.0.0.0"}, {"dst": "fd09::/16", "src": "::"},
                  {"dst": "10.9.0.0/16", "nexthops": [{"gw": "0.0.0.0"}, {"gw": "192.168.1.1"}]}):
        before = whole()
        call(h, {"routes": [entry]}).error(7, "routes[0]")
        expect(whole() == before, "routes", before, whole())


def test_an_odd_destination_is_no_default_route(h):
    for dst in ("10.2.3.4/0", "fd00::1/0", "", "/0", "default", "0/0", "0.0.0.0", "::ffff:0.0.0.0/0", "::ffff:10.0.0.0/104",
                "0.0.0.0/00", "0.0.0.0/0 ", " 0.0.0.0/0", "0.0.0.0/-0", "Host", None, 0, [], {}, False):
        before = whole()
        for key in ("routes", "delRoutes"):
            call(h, {key: [{"dst": dst}]}).error(7, key + "[0]")
            call(h, {key: [{}]}).error(7, key + "[0]")
        expect(whole() == before, "routes", dst, before, whole())


def test_an_odd_selector_is_no_rule_for_every_address(h):
    for text in ("10.2.3.4/0", "fd00::1/0", "", "all", "::ffff:10.0.0.0/104", 0, [], {}):
        before = whole()
        call(h, {"rules": [{"from": text, "table": 7}]}).error(7, "rules[0]")
        expect(whole() == before, "rules", text, before, whole())


def test_CHECK_finds_the_gateway_of_an_auto_route_again(h):
    """flushGateway takes it out of the result, and it stood nowhere else."""
    chain.give_pod("pod", "net1", "192.168.1.209/32")
    ip("pod", "route add 169.254.1.1 dev net1")
    ip("pod", "route add 169.254.1.2 dev net1")
    ip("pod", "route add default via 169.254.1.1 dev net1 metric 5")
    ips = [{"address": "192.168.1.209/32", "gateway": "169.254.1.1", "interface": 0}]
    prev = {"cniVersion": "1.0.0", "interfaces": [{"name": "net1", "sandbox": "/run/netns/pod"}], "ips": ips,
            "routes": [{"dst": "0.0.0.0/0"}]}
    auto = {"dst": "10.9.0.0/16", "gw": "auto"}
    for routes in ([auto], [auto, {"dst": "0.0.0.0/0", "gw": "169.254.1.2", "priority": 9}]):
        added = check_after(h, {"flushGateway": True, "routes": routes, "prevResult": prev})
        expect({"dst": "10.9.0.0/16", "gw": "169.254.1.1"} in added["routes"], "result", added)


def test_an_interface_of_a_very_long_name_in_prevResult_is_none(h):
    prev = {"cniVersion": "1.0.0", "ips": [], "interfaces": [{"name": "n" * length, "sandbox": "/run/netns/pod"}
                                                             for length in (0, 15, 16, 5000, 70000)]}
    call(h, {"flushRoutes": True, "prevResult": prev}).ok()


def test_an_address_survives_that_its_detection_could_not_be_ended(h):
    def tentative():
        ip("pod", "-6 addr add fd00:3::9/64 dev net1")
        return "fd00:3::9" in ip("pod", "-6 addr show dev net1")
    conf = {"ipv6": {"dad": False}}
    number = 1
    while number < 20:
        setup(h)
        expect(tentative(), "no address")
        answer = call(h, conf, inject="sendmsg:error=ENOBUFS:when=%d" % number)
        if not injected():
            break
        expect("fd00:3::9" in ip("pod", "-6 addr show dev net1"), "request %d" % number, answer.text)
        number += 1
    expect(number > 3, "few requests", number)


def test_a_rule_of_others_that_looks_like_ours_stays(h):
    """Same selectors, table and priority, but a mark beside them: the kernel deletes the first that fits."""
    for family, address in (("-4", "192.168.1.209"), ("-6", "fd00:2::9")):
        for mark, length in (("fwmark 0x5", "32" if family == "-4" else "128"), ("iif lo", "32" if family == "-4" else "128")):
            setup(h)
            ip("pod", "%s rule add from %s %s lookup 7 priority 78" % (family, address, mark))
            before = whole()
            conf = {"rules": [{"from": "%s/%s" % (address, length), "table": 7, "priority": 78}]}
            call(h, conf).ok()
            expect(whole() != before, "no rule was added", before)
            call(h, conf, "DEL").silent()
            expect(whole() == before, "after DEL", before, whole())
            failing = dict(conf, rules=conf["rules"] + [dict(conf["rules"][0], priority=79)])
            call(h, failing, inject="sendmsg:error=ENOBUFS:when=5").error(105)
            expect(whole() == before, "after roll-back", before, whole())


def test_a_route_for_a_kind_of_service_is_a_route_of_its_own(h):
    ip("pod", "route add 10.70.0.0/16 tos 0x10 via 192.168.1.4 dev net1")
    route = {"dst": "10.70.0.0/16", "gw": "192.168.1.4"}
    before = whole()
    added = call(h, {"routes": [route]}).result()
    plain = [l for l in ip("pod", "route show 10.70.0.0/16").splitlines() if "tos" not in l]
    expect(len(plain) == 1, "the route itself is missing", whole())
    ip("pod", "route del 10.70.0.0/16 tos 0 via 192.168.1.4")
    expect(whole() == before, "not as before", whole())
    call(h, {"routes": [route], "prevResult": added}, "CHECK").error(105, "10.70.0.0/16")
    number = each_failure(h, {"flushRoutes": True}, "sendmsg", "error=ENOBUFS", nothing_stays)
    expect(number > 4, "few requests", number)
    setup(h)
    ip("pod", "route add 10.70.0.0/16 tos 0x10 via 192.168.1.4 dev net1")
    call(h, {"flushRoutes": True}).ok()
    expect("10.70" not in ip("pod", "route show"), "it is not flushed", whole())


def test_a_route_for_packets_from_somewhere_is_a_route_of_its_own(h):
    words = "-6 route add fd70::/16 from fd71::/16 via fd00:2::4 dev net1"
    try:
        ip("pod", words)
    except RuntimeError as error:
        print("skipped: IPv6 routes by source: %s" % error)
        return
    route = {"dst": "fd70::/16", "gw": "fd00:2::4"}
    call(h, {"routes": [route]}).ok()
    there = ip("pod", "-6 route show fd70::/16").splitlines()
    expect(len(there) == 2 and sum("from" in l for l in there) == 1, "the route itself is missing", there)
    call(h, {"routes": [route]}).ok()
    setup(h)
    ip("pod", words)
    call(h, {"flushRoutes": True}).ok()
    expect("fd70" not in ip("pod", "-6 route show"), "it is not flushed", whole())


def test_source_hints_leave_a_written_route_in_its_table_only(h):
    conf = {"sourceRouting": {"addSourceHints": True}, "routes": [{"dst": "10.80.0.0/16", "table": 100}]}
    check_after(h, conf)
    expect("10.80" not in ip("pod", "route show"), "it is in the main table too", whole())


def test_every_other_system_call_that_fails_is_an_error_or_nothing(h):
    """Whatever fails: an answer, whole, and with an error nothing is changed."""
    conf = dict(KINDS[1], announce=True, ipv6={"acceptRA": False, "autoconf": False, "dad": False})

    def judge(what, answer, before):
        expect(answer.rc in (0, 1), what + ": it ends otherwise", answer.rc, answer.text, answer.stderr)
        if answer.rc == 0:
            answer.result()
            return
        expect(answer.json()["code"] in (4, 5, 105), what + ": code", answer.text)
        expect(whole() == before, what + ": routes or rules stay", answer.text, before, whole())
    for syscall in ("openat", "setsockopt", "fstatfs", "ioctl"):
        each_failure(h, conf, syscall, "error=ENOMEM", judge)
    for syscall in ("socket", "bind", "sendto", "poll"):
        each_failure(h, dict(conf, probe=True), syscall, "error=ENOMEM", judge)


def test_a_DEL_takes_the_rule_that_another_made_no_more_than_its_routes(h):
    """What was there already is no change, and what was not made is not taken back."""
    conf = {"rules": [{"from": "192.168.1.209/32", "table": 7, "priority": 78}]}
    ip("pod", "rule add from 192.168.1.209 lookup 7 priority 78")
    before = whole()
    check_after(h, conf)
    call(h, conf, "DEL").silent()
    expect(whole() == before, "after DEL", before, whole())
