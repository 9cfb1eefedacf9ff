"""make bench: the plugin against an empty process and the reference plugins, in one run.

usage: run.sh plugin.py PLUGIN EMPTY DRIVER REPORT.md [ROUNDS]. Fails when a budget is missed."""
import json
import os
import platform
import statistics
import subprocess
import sys
import time

import counts
import setting

AT_ONCE_ROUNDS = 20
RSS_KIB_MAX = 2.5 * 1024


def median(rows, column=0):
    return statistics.median(row[column] for row in rows)


def percentile(rows, share):
    values = sorted(row[0] for row in rows)
    return values[min(int(len(values) * share), len(values) - 1)]


class Report:
    def __init__(self):
        self.lines, self.missed = [], []

    def say(self, text=""):
        self.lines.append(text)
        print(text, flush=True)

    def budget(self, what, value, most=None, least=None):
        ok = value <= most if most is not None else value >= least
        bound = "≤ %g" % most if most is not None else "≥ %g" % least
        self.say("| %s | %.2f | %s | %s |" % (what, value, bound, "kept" if ok else "**missed**"))
        if not ok:
            self.missed.append(what)


def cpu_model():
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.machine()


def one_at_a_time(report, contenders, samples):
    report.say("\n## One at a time\n")
    report.say("| contender | starts | p50 µs | p99 µs | × empty | CPU µs | max RSS KiB | page faults "
               "| instructions | system calls |")
    report.say("|---|---|---|---|---|---|---|---|---|---|")
    base = median(samples["empty"])
    for c in contenders:
        rows = samples[c.name]
        count = counts.instructions(c)
        calls = counts.system_calls(c)
        c.run_undo()
        cpu = statistics.mean(row[1] + row[2] for row in rows)
        report.say("| %s | %d | %.0f | %.0f | %.2f | %.0f | %d | %d | %s | %d |" % (
            c.name, len(rows), median(rows) / 1e3, percentile(rows, 0.99) / 1e3, median(rows) / base, cpu,
            max(row[3] for row in rows), median(rows, 4), count or "–", sum(calls.values())))


def all_at_once(report, contenders, samples):
    report.say("\n## %d at once\n" % setting.PODS)
    report.say("| contender | rounds | p50 ms | p99 ms | × empty | CPU µs of each | max RSS KiB |")
    report.say("|---|---|---|---|---|---|---|")
    base = median(samples["empty"])
    for c in contenders:
        rows = samples[c.name]
        cpu = statistics.mean(row[1] + row[2] for row in rows) / setting.PODS
        report.say("| %s | %d | %.1f | %.1f | %.2f | %.0f | %d |" % (
            c.name, len(rows), median(rows) / 1e6, percentile(rows, 0.99) / 1e6, median(rows) / base, cpu, max(row[3] for row in rows)))


def judge(report, alone, together):
    def ratio(samples, a, b):
        return median(samples[a]) / median(samples[b])

    report.say("\n## Budgets\n")
    report.say("| what | measured | budget | |")
    report.say("|---|---|---|---|")
    for name in ("ours, 1 row", "ours, 1000 rows", "ours, 100000 rows"):
        report.budget("ADD, %s, × empty" % name, ratio(alone, name, "empty"), most=1.3)
        report.budget("largest RSS, %s, MiB" % name, max(r[3] for r in alone[name]) / 1024, most=RSS_KIB_MAX / 1024)
    report.budget("static ÷ ours, 1000 rows", ratio(alone, "static", "ours, 1000 rows"), least=2.5)
    report.budget("host-local without leases ÷ ours", ratio(alone, "host-local, 0 leases", "ours, 1000 rows"), least=5)
    report.budget("%d at once, × empty" % setting.PODS, ratio(together, "ours, 1000 rows", "empty"), most=1.4)


def check_answers(name):
    """All right, none twice: pod i has the address of row i."""
    seen = set()
    for i in range(setting.PODS):
        with open("%s/answers/%s.%d" % (setting.WORK, name, i)) as file:
            got = json.load(file)["ips"][0]["address"]
        if got != setting.address(i + 256) + "/8" or got in seen:
            raise RuntimeError("pod %d of %s got %s" % (i, name, got))
        seen.add(got)


def main():
    plugin, empty, driver, path = sys.argv[1:5]
    rounds = int(sys.argv[5]) if len(sys.argv) > 5 else 2000
    report = Report()
    begin = time.time()
    print("making %d namespaces, tables and stores" % setting.PODS, flush=True)
    setting.make_namespaces(setting.PODS)
    nothing = setting.empty(empty)
    thousand = setting.ours("ours, 1000 rows", plugin, setting.make_table(1000, 64), 1000)
    alone = [nothing, setting.ours("ours, 1 row", plugin, setting.make_table(1, 64), 1), thousand,
             setting.ours("ours, 100000 rows", plugin, setting.make_table(100000, 1024), 100000),
             setting.ours("ours, 100000 rows in 64 buckets", plugin, setting.make_table(100000, 64), 100000)]
    alone += [setting.ours("ours, %d granted" % n, plugin, setting.make_grants(n), n) for n in (1, setting.PODS)]
    alone += setting.inline(plugin)
    alone += [setting.chained(plugin, n, 5) for n in (1, 10, 100)]
    free = setting.host_local(0, 2)
    alone += [setting.static(5), free, setting.host_local(1000, 20), setting.host_local(20000, 200)]
    print("%d rounds, one at a time" % rounds, flush=True)
    samples = setting.drive(driver, alone, rounds, 0)
    print("%d rounds of %d at once" % (AT_ONCE_ROUNDS, setting.PODS), flush=True)
    free.every = 1
    at_once = [nothing, thousand, setting.static(1), free]
    together = setting.drive(driver, at_once, AT_ONCE_ROUNDS, setting.PODS)
    check_answers(thousand.name)
    report.say("# What a call of the plugin costs\n")
    report.say("%s, %d CPUs (%s), Linux %s; %d interleaved rounds, medians. `empty` is `int main(void) { return 0; }`, "
               "linked statically." % (platform.machine(), os.cpu_count(), cpu_model(), platform.release(), rounds))
    one_at_a_time(report, alone, samples)
    all_at_once(report, at_once, together)
    judge(report, samples, together)
    report.say("\nmeasured in %d s" % (time.time() - begin))
    with open(path, "w") as file:
        file.write("\n".join(report.lines) + "\n")
    print("bench: %s" % ("missed: " + "; ".join(report.missed) if report.missed else "every budget is kept"))
    sys.exit(1 if report.missed else 0)


main()
