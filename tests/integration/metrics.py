#!/usr/bin/env python3
"""Reads Prometheus' text format 0.0.4 from standard input, strictly, and complains of
whatever is against the format or the naming rules (what promtool check metrics says).
With arguments it prints the value of a sample:  metrics.py NAME [LABEL=VALUE...]"""
import re
import sys

NAME = r'[a-zA-Z_][a-zA-Z0-9_]*'
LABEL = re.compile(r'(' + NAME + r')="((?:[^"\\\n]|\\["\\n])*)"')
SAMPLE = re.compile(r'(' + NAME + r')(?:\{(.*)\})? (NaN|[+-]Inf|[+-]?[0-9.]+(?:e[+-]?[0-9]+)?)')
TYPES = {"counter", "gauge", "histogram"}
WELL_KNOWN = {"process_cpu_seconds_total", "process_start_time_seconds", "process_virtual_memory_bytes",
              "process_resident_memory_bytes", "process_open_fds", "process_max_fds"}


def fail(number, why, line):
    sys.exit(f"metrics: line {number}: {why}: {line!r}")


def labels_of(text, number, line):
    labels, at = {}, 0
    while text and at < len(text):
        match = LABEL.match(text, at)
        if not match:
            fail(number, "labels cannot be read", line)
        if match[1] in labels:
            fail(number, "a label stands twice", line)
        labels[match[1]] = match[2].replace("\\n", "\n").replace('\\"', '"').replace("\\\\", "\\")
        at = match.end()
        if at < len(text):
            if text[at] != "," or at + 1 == len(text):
                fail(number, "labels are not separated by commas", line)
            at += 1
    return labels


def check_family(name, kind, number, line):
    if not name.startswith("staticip_") and name not in WELL_KNOWN:
        fail(number, "a name that is not ours", line)
    if (kind == "counter") != name.endswith("_total"):
        fail(number, "counters, and they alone, end in _total", line)
    if re.search(r'_(sum|count|bucket|milliseconds|ms|kilobytes|percent|gauge|counter)$', name):
        fail(number, "a suffix that promtool does not like", line)


def check_histogram(name, samples):
    series = {}
    for sample, labels, value in samples:
        key = tuple(sorted((k, v) for k, v in labels.items() if k != "le"))
        series.setdefault(key, {}).setdefault(sample, []).append((labels.get("le"), value))
    for parts in series.values():
        buckets = parts[name + "_bucket"]
        values = [value for _, value in buckets]
        bounds = [float(le) for le, _ in buckets]
        assert bounds == sorted(set(bounds)) and bounds[-1] == float("inf"), (name, bounds)
        assert values == sorted(values), (name, values)
        assert values[-1] == parts[name + "_count"][0][1], (name, parts)
        assert len(parts[name + "_sum"]) == 1, (name, parts)


def read(text):
    families, samples, current, begun = {}, {}, None, set()
    if not text.endswith("\n"):
        sys.exit("metrics: the last line has no end")
    for number, line in enumerate(text[:-1].split("\n"), 1):
        if match := re.fullmatch(r"# HELP (" + NAME + r") ((?:[^\\]|\\[\\n])+)", line):
            current, kind = match[1], None
            if current in begun:
                fail(number, "a family that was there before", line)
            begun.add(current)
        elif match := re.fullmatch(r"# TYPE (" + NAME + r") ([a-z]+)", line):
            if match[1] != current or kind or match[2] not in TYPES:
                fail(number, "a TYPE that does not follow its HELP, or is unknown", line)
            kind = families[current] = match[2]
            check_family(current, kind, number, line)
        elif match := SAMPLE.fullmatch(line):
            name, labels, value = match[1], labels_of(match[2], number, line), float(match[3])
            base = re.sub(r"_(bucket|sum|count)$", "", name) if kind == "histogram" else name
            if not kind or base != current:
                fail(number, "a sample outside its family", line)
            if ("le" in labels) != (name == f"{current}_bucket" and kind == "histogram"):
                fail(number, "le stands at a histogram's buckets, and there alone", line)
            key = (name, tuple(sorted(labels.items())))
            if key in samples:
                fail(number, "a sample that was there before", line)
            if kind == "counter" and value < 0:
                fail(number, "a counter below 0", line)
            samples[key] = value
        else:
            fail(number, "neither HELP nor TYPE nor a sample", line)
    for name, kind in families.items():
        if kind == "histogram":
            check_histogram(name, [(n, dict(l), v) for (n, l), v in samples.items() if n.startswith(name + "_")])
    return families, samples


def main():
    text = sys.stdin.buffer.read().decode("utf-8")
    families, samples = read(text)
    if not samples:
        sys.exit("metrics: there is no sample")
    if len(sys.argv) > 1:
        key = (sys.argv[1], tuple(sorted(tuple(a.split("=", 1)) for a in sys.argv[2:])))
        if key not in samples:
            sys.exit(f"metrics: no sample {key}; there are {sorted(k for k in samples if k[0] == key[0])}")
        print(f"{samples[key]:g}" if samples[key] < 1e5 else f"{samples[key]:.0f}")


if __name__ == "__main__":
    main()
