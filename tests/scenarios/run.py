"""Runs every scenario against one plugin executable. See run.sh."""
import re
import sys

import calls
import chain
import chain_mains
import chain_model
import chain_review
import grants
import harness
import hostile
import index2ip
import ipam
import lease_races
import leases
import mains
import override
import probe
import protocol
import ranges
import replay
import source_routing
import sources_review
import staticss
import wire


def main():
    plugin, only = sys.argv[1], re.compile(sys.argv[2])
    h = harness.Harness(plugin, only)
    replay.run(h)
    override.run(h)
    for name, why in mains.SKIPPED:
        print("ok %s # skip %s" % (name, why))
    modules = (protocol, ipam, staticss, ranges, index2ip, sources_review, leases, lease_races, grants, chain,
               chain_model, chain_review, override, source_routing, hostile, wire, probe, mains, chain_mains, calls)
    for module in modules:
        h.run_module(module)
    print("scenarios: %d passed, %d failed" % (h.passed, h.failed))
    sys.exit(1 if h.failed or not h.passed else 0)


main()
