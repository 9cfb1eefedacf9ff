"""What a tenant or a broken runtime may send: every answer is a CNI error of the right
code, itself valid JSON; nothing is written below /run/staticip, no route stays behind."""
import json
import os
import re
import signal
import subprocess
import tempfile
import time

import chain
import tables
from harness import POD, expect, ipam_conf

LARGEST = 1 << 20  # STDIN_BYTES_MAX
ENVIRONMENT_MAX = 128 * 1024  # one string of an environment: name, value and NUL (execve(2))
HOSTILE = [b"a\nb", b'"', b"\\", b"%s%s%n%d", b"x" * 200, b"\xff\xfe", b"\xc3", b"\xed\xa0\x80", b"\xc0\xaf", b"../..",
           b"../../etc/passwd", b"/", b"!default/a", b"a\tb", b"\x01\x1b[2J", b"a b", b"-", b".", b"..", b"$(id)", b"*",
           "пример".encode()]
CHAIN_ENV = {"CNI_NETNS": "/run/netns/pod"}


def setup(h):
    chain.setup(h)
    tables.one_pod(["10.131.0.43/23", "fd00:131::43/64"], ["10.131.0.1", "fd00:131::1"])


def tree():
    """Everything below /run/staticip with its content."""
    seen = {}
    for folder, folders, files in os.walk(tables.ROOT):
        for path in [os.path.join(folder, name) for name in folders + files]:
            seen[path] = os.readlink(path) if os.path.islink(path) else None
            if seen[path] is None and os.path.isfile(path):
                with open(path, "rb") as f:
                    seen[path] = f.read()
    return seen


def files_of(seen):
    return {path for path, content in seen.items() if content is not None}


def refused(h, verb, conf, code, *words, env=None, **more):
    """The error, when nothing else came of the call."""
    before = tree()
    error = h.call(verb, conf, env, **more).error(code, *words)
    after = tree()
    expect(after == before, "it wrote below /run/staticip", sorted(set(after) ^ set(before)))
    expect(chain.routes_of() == [], "a route stays", chain.routes_of())
    return error


def chain_conf(**more):
    return dict({"cniVersion": "1.1.0", "name": "mynet", "type": "staticip", "prevResult": chain.prev("1.1.0"),
                 "routes": chain.gateways()}, **more)


def in_both_roles(h, change, code, *words, verbs=("ADD", "CHECK")):
    """change makes the bytes of standard input from a good configuration."""
    for conf in (ipam_conf("1.1.0", prevResult=chain.prev("1.1.0")), chain_conf()):
        for verb in verbs:
            refused(h, verb, change(json.dumps(conf)), code, *words, env=CHAIN_ENV)


def test_the_configurations_that_are_spoilt_below_are_good(h):
    h.call("ADD", ipam_conf("1.1.0"), CHAIN_ENV).ok()
    h.call("ADD", chain_conf(), CHAIN_ENV).ok()
    expect(len(chain.routes_of()) == 2, "routes", chain.routes_of())


def test_a_key_that_stands_twice_is_code_6_and_named(h):
    def twice(text):
        return text.replace('"name": "mynet"', '"name": "mynet", "name": "other"').encode()

    def escaped(text):
        return text.replace('"name": "mynet"', '"name": "mynet", "n\\u0061me": "other"').encode()

    def inside(text):
        return text.replace('"mac"', '"mac": "x", "mac"').encode()
    everything = ("ADD", "CHECK", "DEL", "GC", "STATUS")
    in_both_roles(h, twice, 6, 'the key "name" twice in one object, at bytes', verbs=everything)
    in_both_roles(h, escaped, 6, '"n\\u0061me" twice', verbs=everything)
    in_both_roles(h, inside, 6, '"mac" twice')
    # two roles in one configuration: which one had another reader seen?
    conf = b'{"cniVersion":"1.0.0","name":"mynet","type":"macvlan","type":"staticip","ipam":{"type":"staticip"}}'
    refused(h, "ADD", conf, 6, '"type" twice')


def test_what_json_c_takes_for_JSON_is_code_6(h):
    for old, new in (('"mynet"', "'mynet'"), ('"mynet"', "mynet"), ('"mynet"', "NaN"), ('"mynet"', "-Infinity"),
                     ('"mynet"', '"my\\ud800net"'), ('"mynet"', '"my\nnet"'), ('"mynet"', '"mynet",'),
                     ('"mynet"', '"mynet" /* here */'), ('"name"', '"na\\u0000me"'), ('{', '\ufeff{')):
        in_both_roles(h, lambda text: text.replace(old, new, 1).encode(), 6, "not valid JSON")
    for broken in (b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82"):
        in_both_roles(h, lambda text: text.encode().replace(b"mynet", broken), 6, "no UTF-8 at byte")


def test_numbers_out_of_range_are_refused_not_rounded(h):
    for number in ("9223372036854775808", "-9223372036854775809", "1e400", "1" * 300):
        in_both_roles(h, lambda text: text.replace("{", '{"mtu":%s,' % number, 1).encode(), 6, "64 bits cannot hold")
    for key in ("priority", "table", "mtu", "advmss"):
        for number in ("4294967296", "-1", "1.5", "1e3", '"7"', "true", "[]"):
            text = json.dumps(chain_conf()).replace('"dst"', '"%s": %s, "dst"' % (key, number), 1)
            refused(h, "ADD", text.encode(), 7, key, env=CHAIN_ENV)


def test_nesting_is_refused_before_it_costs(h):
    for deep in ("[" * 33 + "]" * 33, '{"a":' * 33 + "1" + "}" * 33, "[" * 400000):
        in_both_roles(h, lambda text: text.replace("{", '{"x":%s,' % deep, 1).encode(), 6, "too deep nesting")


def test_ten_mebibytes_of_anything_are_refused_at_once(h):
    large = 10 * LARGEST
    for text in (b'{"a":"' + b"x" * large + b'"}', b"7" * large, b"[" * large, b" " * large, b"\0" * large):
        refused(h, "ADD", text, 6, "larger than 1048576 bytes")
        refused(h, "DEL", text, 6, "larger than 1048576 bytes")


def test_the_largest_input_of_many_keys_is_read_in_time(h):
    keys = ",".join('"%05d":0' % (i * 7919 % 90000) for i in range(90000))
    text = json.dumps(ipam_conf("1.1.0"))
    start = time.monotonic()
    h.call("ADD", text.replace("{", "{%s," % keys, 1).encode()).ok()
    refused(h, "ADD", text.replace("{", '{%s,"00007":1,' % keys, 1).encode(), 6, '"00007" twice')
    # 0.05 s; comparing each with each would take more than a minute
    expect(time.monotonic() - start < 10, "it took long")


SPELLINGS = ("010.131.0.43", "10.131.43", "0x0a.131.0.43", "10.131.0.43 ", "::ffff:10.131.0.43", "::ffff:a83:2b",
             "fd00:131::43%eth0", "[fd00:131::43]", "10.131.0.43/024", "10.131.0.43/", "10.131.0.43/23/23", "")


def test_addresses_in_other_spellings_are_refused_on_every_road(h):
    for text in SPELLINGS:
        refused(h, "ADD", ipam_conf("1.1.0", runtimeConfig={"ips": [text]}), 7, "runtimeConfig")
        refused(h, "ADD", ipam_conf("1.1.0", args={"cni": {"ips": [text]}}), 7, "args.cni")
        if text:  # a runtime that has nothing to say may set it so
            refused(h, "ADD", ipam_conf("1.1.0"), 4, "CNI_ARGS IP", env={"CNI_ARGS": POD + ";IP=" + text})
            refused(h, "ADD", ipam_conf("1.1.0"), 4, "CNI_ARGS GATEWAY", env={"CNI_ARGS": POD + ";GATEWAY=" + text})
        ips = [{"address": text + ("" if "/" in text else "/24"), "interface": 1}]
        refused(h, "ADD", chain_conf(prevResult=dict(chain.prev("1.1.0"), ips=ips)), 7, "prevResult", env=CHAIN_ENV)
        for routes in ([{"dst": "10.9.0.0/16", "gw": text}], [{"dst": text, "gw": "10.131.0.1"}],
                       chain.gateways() + [{"dst": "10.7.0.0/16", "gw": text}]):
            refused(h, "ADD", chain_conf(routes=routes), 7, "route", env=CHAIN_ENV)


def test_hostile_names_of_pods_yield_no_address_and_no_path(h):
    for evil in HOSTILE:
        for args in (b"K8S_POD_NAMESPACE=default;K8S_POD_NAME=" + evil, b"K8S_POD_NAMESPACE=" + evil + b";K8S_POD_NAME=p"):
            refused(h, "ADD", ipam_conf("1.1.0"), 100 if evil == b"x" * 200 and b"NAME=x" in args else 4, env={"CNI_ARGS": args})
        for value in (b"IP=" + evil, b"GATEWAY=" + evil, b"IgnoreUnknown=" + evil):
            refused(h, "ADD", ipam_conf("1.1.0"), 4, env={"CNI_ARGS": POD.encode() + b";" + value})


def test_hostile_variables_of_the_protocol_are_code_4(h):
    for evil in HOSTILE:
        for verb in ("ADD", "CHECK", "DEL"):
            for conf in (ipam_conf("1.1.0"), chain_conf()):
                container = dict(CHAIN_ENV, CNI_CONTAINERID=evil)
                if evil == b"x" * 200:  # the specification has no maximum
                    continue
                refused(h, verb, conf, 4, "containerID", env=container)
        if evil in (b"x" * 200, b".", b".."):
            refused(h, "ADD", ipam_conf("1.1.0"), 4, "interface name", env={"CNI_IFNAME": evil})
        refused(h, evil, ipam_conf("1.1.0"), 4, "unknown CNI_COMMAND")
        # read as U+FFFD, two pods would be one
        if b"\xef\xbf\xbd" in evil.decode("utf-8", "replace").encode():
            refused(h, "ADD", ipam_conf("1.1.0"), 4, "K8S_POD_UID in CNI_ARGS is no UTF-8", env={"CNI_ARGS": POD.encode() + b";K8S_POD_UID=" + evil})
    for evil in (b"a\nb", b"a\tb", b"a b", b"../..", b"/", b"a:b", b"\xff\xfe", b"\xc3"):
        refused(h, "ADD", chain_conf(), 4, "interface name", env=dict(CHAIN_ENV, CNI_IFNAME=evil))


def test_a_hostile_interface_name_that_the_kernel_allows_changes_nothing(h):
    for name in (b"%s%s%n%d", b'"', b"\\", "é€".encode(), b"*", b"$(id)", b"!default"):
        before = tree()
        h.call("ADD", ipam_conf("1.1.0"), {"CNI_IFNAME": name}).result("1.1.0")
        new = files_of(tree()) - files_of(before)
        expect(new and all(path.startswith(tables.ROOT + "/leases/") for path in new), "files", name, new)
        h.call("DEL", ipam_conf("1.1.0"), {"CNI_IFNAME": name}).silent()
        expect(files_of(tree()) == files_of(before), "it left files", name)
        refused(h, "ADD", chain_conf(), 105, "interface", env=dict(CHAIN_ENV, CNI_IFNAME=name))


def test_a_network_namespace_that_is_none_is_an_error(h):
    for path in HOSTILE + [b"/", b"/dev/null", b"/dev/zero", b"/proc/self/ns/mnt", b"/proc/self/ns/net", b"/run/netns/node",
                           b"/run/staticip/table/live", b"x" * 5000]:
        before = tree()
        answer = h.call("ADD", chain_conf(), {"CNI_NETNS": path})
        expect(answer.rc == 1 and answer.json()["code"] in (4, 5, 7), "accepted, or another code", path, answer.text)
        expect(tree() == before and chain.routes_of() == chain.routes_of("node") == [], "a trace", path)
        h.call("DEL", chain_conf(), {"CNI_NETNS": path}).silent()


def test_hostile_text_in_a_configuration_comes_back_as_JSON(h):
    for evil in (b.decode("utf-8", "replace") for b in HOSTILE):
        refused(h, "ADD", ipam_conf("1.1.0", name=evil), 7, "network name")
        refused(h, "ADD", ipam_conf(evil), 7 if len(evil) > 32 else 1)
        refused(h, "ADD", chain_conf(routes=[{"dst": evil}]), 7, env=CHAIN_ENV)
        refused(h, "ADD", chain_conf(routes=[{"dst": "10.9.0.0/16", evil: 1}]), 7, env=CHAIN_ENV)


def test_a_text_is_not_cut_at_a_NUL(h):
    refused(h, "ADD", ipam_conf("1.1.0", ipam={"type": "staticip\0"}), 7, "another plugin's")
    refused(h, "ADD", ipam_conf("1.1.0", name="mynet\0"), 7, "NUL character")
    refused(h, "ADD", ipam_conf("1.1.0\0"), 7, "NUL character")
    refused(h, "ADD", chain_conf(type="staticip\0"), 7, "neither", env=CHAIN_ENV)
    refused(h, "ADD", chain_conf(routes=[{"dst": "10.9.0.0/16\0"}]), 7, "route", env=CHAIN_ENV)
    refused(h, "ADD", ipam_conf("1.1.0", runtimeConfig={"ips": ["10.131.0.43\0"]}), 7, "runtimeConfig")


def test_CNI_ARGS_as_long_as_the_kernel_lets_them_be(h):
    room = ENVIRONMENT_MAX - len("CNI_ARGS=") - 1
    pod = POD + ";"
    for start, fill in (("K8S_POD_NAMESPACE=default;K8S_POD_NAME=", "p"), ("", "x"), ("", "="), ("", ";"), ("", "A=1;"),
                        (pod + "IP=", "10.131.0.43,"), (pod + "GATEWAY=", ","), ("IgnoreUnknown=1;", "K8S_POD_NAME=p;"), ("A=%s;", "\n")):
        args = (start + fill * room)[:room]
        refused(h, "ADD", ipam_conf("1.1.0"), 4, env={"CNI_ARGS": args})
    padding = "x" * (room - len(pod + "A="))
    h.call("ADD", ipam_conf("1.1.0"), {"CNI_ARGS": pod + "A=" + padding}).ok()


def shell(script):
    return ("sh", "-c", script)


def test_without_standard_input_it_is_an_error(h):
    for conf in (ipam_conf("1.1.0"), chain_conf()):
        for verb in ("ADD", "CHECK", "DEL", "GC", "STATUS"):
            refused(h, verb, conf, 5, "standard input", env=CHAIN_ENV, wrap=shell('exec "$0" <&-'))
            refused(h, verb, conf, 5, "standard input", env=CHAIN_ENV, wrap=shell('exec "$0" <.'))
            refused(h, verb, conf, 6, "is empty", env=CHAIN_ENV, wrap=shell('exec "$0" </dev/null'))


def outcome(h, redirection, conf):
    """Exit status of an ADD whose standard output is redirected so."""
    return h.call("ADD", conf, CHAIN_ENV, wrap=shell('exec "$0" ' + redirection)).rc


def test_a_result_that_nobody_can_read_is_a_failure_not_a_signal(h):
    for conf in (ipam_conf("1.1.0"), chain_conf()):
        expect(outcome(h, ">/dev/null", conf) == 0, "a device is fine")
        for redirection in (">&-", "<&0 >&- 2>&-", ">/dev/full", "1</dev/null"):
            expect(outcome(h, redirection, conf) == 1, "exit status", redirection)
        r, w = os.pipe()
        os.close(r)
        command = ["nsenter", "--net=" + h.netns, h.plugin]
        # Python ignores SIGPIPE, and that would be inherited
        done = subprocess.run(command, input=json.dumps(conf).encode(), stdout=w, stderr=subprocess.PIPE, timeout=5,
                              preexec_fn=lambda: signal.signal(signal.SIGPIPE, signal.SIG_DFL),
                              env={"CNI_COMMAND": "ADD", "CNI_CONTAINERID": "dummy", "CNI_NETNS": "/run/netns/pod",
                                   "CNI_IFNAME": "eth0", "CNI_PATH": "/x", "CNI_ARGS": POD})
        os.close(w)
        expect(done.returncode == 1, "a pipe without reader", done.returncode, done.stderr)


def test_a_closed_descriptor_is_not_taken_by_a_file_or_socket(h):
    for descriptor in ("0", "1", "2"):
        with tempfile.TemporaryDirectory() as folder:
            log = os.path.join(folder, "log")
            trace = ["strace", "-o", log] + list(shell('exec "$0" %s>&-' % descriptor))
            # the leak checker of a sanitizer build cannot work under strace
            h.call("ADD", chain_conf(), dict(CHAIN_ENV, ASAN_OPTIONS="detect_leaks=0"), wrap=trace)
            with open(log) as f:
                lines = f.read().split('execve("%s"' % h.plugin)[-1].splitlines()
        # what loads a dynamically linked program (with sanitizers) comes before
        held = [i for i, line in enumerate(lines) if re.search(r'open(at)?\(.*"/dev/null".* = %s$' % descriptor, line)]
        expect(held, "nothing holds its place", descriptor, lines[:20])
        taken = [line for line in lines[held[0] + 1:] if re.search(r"\b(openat|open|socket)\(.* = %s$" % descriptor, line)]
        expect(taken == [], "taken", descriptor, taken)
