"""Gates that do not depend on the clock. See steady.sh.

usage: run.sh steady.py PLUGIN EMPTY MEMCHECK_PLUGIN DRIVER"""
import statistics
import sys
import traceback

import counts
import growth
import memory
import setting

# What was measured, with a little room: who passes one of them has made a call dearer.
ADD_OF_EMPTY_MAX = 6.8        # instructions, measured 6.6
ROWS_GROWTH_MAX = 1.06        # from 1 to 100 000 rows, measured 1.04
ROUTE_INSTRUCTIONS_MAX = 44e3  # measured 41 600
ADD_CALLS_MAX = 70            # measured 67 on Linux 6.18, of which 13 are libc's start
DEL_CALLS_MAX = 97            # measured 95
CHAIN_CALLS_MAX = 95          # and two for each route, measured 93
ADD_FAULTS_MAX = 6            # page faults more than the empty process has, measured 2
FAULT_ROUNDS = 40             # where address space randomisation puts things decides one or two
TRIES = 4                     # json-c's hash has a random seed: a start costs 1 % more or less
NEVER = ("connect", "clone", "fork", "vfork", "execveat", "futex")


class Gates:
    def __init__(self):
        self.passed = self.failed = 0

    def case(self, name, act, *arguments):
        try:
            act(*arguments)
            self.passed += 1
        except Exception as e:
            self.failed += 1
            print("FAIL %s: %s" % (name, e if isinstance(e, AssertionError) else traceback.format_exc()))

    def at_most(self, name, value, most, shown=""):
        def act():
            assert value <= most, "%.2f, at most %.2f are allowed %s" % (value, most, shown)
        print("%s: %.2f (at most %.2f)" % (name, value, most))
        self.case(name, act)


def count_instructions(gates, plugin, empty):
    base = counts.instructions(setting.empty(empty))
    roots = {(n, k): setting.make_table(n, k) for n, k in ((1, 64), (1000, 64), (100000, 1024))}
    adds = {}
    for (rows, buckets), root in roots.items():
        contender = setting.ours("ours, %d rows" % rows, plugin, root, rows)
        pods = min(rows, setting.PODS)
        adds[rows] = min(counts.instructions(contender, i * (pods - 1) // TRIES) for i in range(TRIES))
        gates.at_most("instructions of an ADD, %d rows, x empty" % rows, adds[rows] / base, ADD_OF_EMPTY_MAX)
    for rows in (1000, 100000):
        gates.at_most("instructions of an ADD, %d rows, x 1 row" % rows, adds[rows] / adds[1], ROWS_GROWTH_MAX)
    few, many = (counts.instructions(setting.chained(plugin, n, 1)) for n in (10, 50))
    gates.at_most("instructions of a route more", (many - few) / 40, ROUTE_INSTRUCTIONS_MAX)


def count_calls(gates, plugin):
    contender = setting.ours("ours", plugin, setting.make_table(100, 64), 100)
    contender.run()  # the folders of the leases are made once in a boot
    contender.run_undo()
    for verb, most in (("ADD", ADD_CALLS_MAX), ("DEL", DEL_CALLS_MAX)):
        calls = counts.system_calls(contender, verb)
        gates.at_most("system calls of " + verb, sum(calls.values()), most, dict(calls))
        gates.at_most("calls of %s that it never needs" % verb, sum(calls[name] for name in NEVER), 0, dict(calls))
    for routes in (1, 10):
        chained = setting.chained(plugin, routes, 1)
        calls = counts.system_calls(chained)
        chained.run_undo()
        gates.at_most("system calls of the chained ADD, %d routes" % routes, sum(calls.values()),
                      CHAIN_CALLS_MAX + 2 * routes, dict(calls))


def count_faults(gates, plugin, empty, driver):
    """Who adds what plugin/order.ld does not know adds faults."""
    contenders = [setting.empty(empty), setting.ours("ours", plugin, setting.make_table(1000, 64), 1000)]
    samples = setting.drive(driver, contenders, FAULT_ROUNDS, 0)
    nothing, ours = (statistics.median(row[4] for row in samples[c.name]) for c in contenders)
    gates.at_most("page faults of an ADD beyond the empty process's", ours - nothing, ADD_FAULTS_MAX)


def main():
    plugin, empty, memcheck_plugin, driver = sys.argv[1:5]
    gates = Gates()
    setting.make_namespaces(setting.PODS)
    count_instructions(gates, plugin, empty)
    count_calls(gates, plugin)
    count_faults(gates, plugin, empty, driver)
    growth.check(gates, plugin)
    memory.check(gates, memcheck_plugin)
    print("steady: %d passed, %d failed" % (gates.passed, gates.failed))
    sys.exit(1 if gates.failed or not gates.passed else 0)


main()
