"""What the plugin does to the machine: its system calls, as strace sees them."""
import os
import re
import subprocess
import tempfile

import tables
from harness import expect, ipam_conf


def setup(h):
    tables.one_pod(["10.0.2.40/24"], ["10.0.2.1"], [{"dst": "10.9.0.0/16"}])


def traced(h, verb, conf):
    """The lines of strace for one call of the plugin."""
    with tempfile.TemporaryDirectory() as folder:
        log = os.path.join(folder, "log")
        if h.netns is None and subprocess.run(["strace", "-o", log, "true"]).returncode != 0:
            raise AssertionError("strace does not work here")
        # the leak checker of a sanitizer build cannot work under strace
        h.call(verb, conf, {"ASAN_OPTIONS": "detect_leaks=0"}, wrap=["strace", "-f", "-o", log]).ok()
        with open(log) as file:
            return file.read().splitlines()


def test_I4_no_verb_of_the_IPAM_role_opens_a_socket(h):
    conf = ipam_conf("1.1.0")
    for verb in ("ADD", "DEL", "STATUS", "GC", "VERSION"):
        lines = traced(h, verb, conf)
        expect(any("execve(" in line for line in lines), "nothing was traced", verb)
        bad = [line for line in lines if re.search(r"\b(socket|connect|sendto|bind)\(", line)]
        expect(not bad, verb + " opens a socket", bad)


def test_I4_inline_sources_open_no_socket_either(h):
    """But index may ask this node's kernel for its addresses."""
    tables.clear()
    for number, keys in enumerate(({"subnet": "10.1.2.0/24"}, {"addresses": [{"address": "10.1.2.3/24"}]},
                                   {"allocations": [{"namespace": "default", "pod": "p", "address": "10.1.2.4/24"}]})):
        tables.forget_leases()
        for verb in ("ADD", "DEL"):
            lines = traced(h, verb, ipam_conf("1.1.0", ipam=dict(keys, type="staticip")))
            bad = [line for line in lines if re.search(r"\b(socket|connect|sendto|bind)\(", line)]
            expect(lines and not bad, "%s of source %d opens a socket" % (verb, number), bad)


def test_I4_an_ADD_opens_the_tables_its_leases_and_its_host_file_and_nothing_else(h):
    if "/address/" in h.plugin:
        print("ok which files an ADD opens # skip a sanitizer build is linked dynamically")
        return
    paths = set()
    for line in traced(h, "ADD", ipam_conf()):
        found = re.search(r'\bopen(?:at)?\((?:AT_FDCWD|\d+)?,? ?"([^"]*)"', line)
        if found:
            paths.add(found.group(1))
    ours = (r"^(/run/staticip(/table/64|/leases|/node)?|/etc/staticip/plugin\.json|\d+|/some/where"
            r"|\.|leases|by-attachment(/mynet)?|network(/mynet)?|mynet|dummy:eth0)$")
    rest = {p for p in paths if not re.match(ours, p)}
    expect("/run/staticip/table/64" in paths, "the tables were not opened", sorted(paths))
    # no resolver, no locale, no library: what a libc does for names would show here
    expect(not rest, "it opens other files", sorted(rest))
