"""What the chained role takes away and moves, behind real main plugins: their CHECK compares
the result that we printed with the kernel, and must find it true."""
import json

import mains
from chain import ip
from harness import expect
from mains import setup  # noqa: F401 (of each test)

MAINS = [m for m in ("bridge", "macvlan", "ptp") if not mains.why_not("1.9.1", m)]
OURS = {"sourceRouting": {"sourceRouting": True},
        "source hints": {"sourceRouting": {"addSourceHints": True}},
        "flush": {"flushRoutes": True, "routes": [{"dst": "10.8.0.0/16", "gw": "10.0.2.1"}],
                  "rules": [{"from": "10.0.2.40/32", "table": 7}]},
        "gateway": {"flushGateway": True, "delRoutes": [{"dst": "10.7.0.0/16"}],
                    "routes": [{"dst": "10.8.0.0/16", "nexthops": [{"gw": "10.0.2.1"}, {"gw": "10.0.2.2", "onlink": True}]},
                               {"dst": "10.66.0.0/16", "type": "blackhole"}]}}


def their_check_fails(main, name):
    """It wants a route to the subnet in the main table, where sbr's way leaves none, nor
    a flush of ptp's route to it, which has a gateway."""
    return name == "sourceRouting" or (name, main) == ("flush", "ptp")


def live(main, name):
    mains.publish([{"dst": "0.0.0.0/0"}, {"dst": "::/0"}, {"dst": "10.7.0.0/16", "gw": "10.0.2.1"}])
    before = mains.links()
    mains.configure("podnet", "1.0.0", mains.main_conf(main), dict(OURS[name], type="staticip"))
    result = json.loads(mains.cnitool("add"))
    if their_check_fails(main, name):
        expect("Failed to find Gateway" in mains.cnitool_error("check"), "another error")
    else:
        mains.cnitool("check")
    routes = ip("pod", "-4 route show") + ip("pod", "-6 route show")
    rules = ip("pod", "rule") + ip("pod", "-6 rule")
    if name in ("sourceRouting", "source hints"):
        expect(result.get("routes", []) == [], "result", result)
        expect("default" not in routes, "main", routes)
        expect("from 10.0.2.40 lookup 100" in rules and "from fd00:2::40 lookup 101" in rules, "rules", rules)
        for family, gateway, table in (("-4", "10.0.2.1", 100), ("-6", "fd00:2::1", 101)):
            shown = ip("pod", family, "route show table %d" % table)
            expect("default via %s dev eth0" % gateway in shown, "table", shown)
    else:
        expect("default" not in routes and "10.8.0.0/16" in routes and "10.7.0.0/16" not in routes, "main", routes)
        told = {"flush": ["10.8.0.0/16"], "gateway": []}[name]
        expect([r["dst"] for r in result.get("routes", [])] == told, "result", result)
    mains.cnitool("del")
    mains.expect_nothing_left(before)
    left = ip("pod", "rule") + ip("pod", "-6 rule")
    expect("lookup 100" not in left and "lookup 7" not in left, "rules are left", left)


for main in MAINS:
    for name in OURS:
        globals()["test_%s_under_%s" % (name.replace(" ", "_"), main)] = (
            lambda h, main=main, name=name: live(main, name))
