"""The protocol under odd conditions: whatever comes in, the answer is whole JSON."""
import json
import os
import subprocess
import time

import tables
from harness import POD, VERSIONS, expect, ipam_conf


def setup(h):
    tables.one_pod(["10.10.0.1/24"], ["10.10.0.254"])


def version_answer(answer, version="1.1.0"):
    got = answer.result(version)
    expect(got["supportedVersions"] == VERSIONS, "supportedVersions", got)


def test_SS_11_IX_20_VERSION_echoes_the_version_given_and_lists_all_seven(h):
    for version in VERSIONS:
        version_answer(h.call("VERSION", {"cniVersion": version}), version)
    version_answer(h.call("VERSION", {"cniVersion": "2.0.0"}), "2.0.0")


def test_VERSION_needs_no_variable_and_no_input(h):
    bare = ("CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH", "CNI_ARGS", "PATH")
    version_answer(h.call("VERSION", b"", unset=bare))
    dummies = {k: "dummy" for k in ("CNI_NETNS", "CNI_IFNAME", "CNI_PATH")}
    version_answer(h.call("VERSION", b"{}", dummies))
    for rubbish in (b"{", b"[]", b'{"cniVersion":7}', b'{"cniVersion":""}', b"\xff" * 70000, b" " * 3000000):
        version_answer(h.call("VERSION", rubbish))
    version_answer(h.call("VERSION", b"", wrap=("sh", "-c", 'exec "$0" <&-')))


def test_VERSION_does_not_wait_for_an_input_that_stays_open(h):
    r, w = os.pipe()
    os.write(w, b'{"cniVersion":')
    start = time.monotonic()
    version_answer(h.call("VERSION", None, stdin=r))
    expect(time.monotonic() - start < 3, "it waited")
    os.close(w)
    os.close(r)


def test_without_a_command_it_says_what_it_is_and_succeeds(h):
    for env in ({}, {"CNI_COMMAND": ""}):
        done = subprocess.run([h.plugin], env=env, capture_output=True, timeout=5)
        expect(done.returncode == 0 and done.stdout == b"", "stdout or exit", done)
        expect(b"CNI protocol versions supported" in done.stderr, "stderr", done.stderr)
    for argument in ("--help", "--version"):
        done = subprocess.run([h.plugin, argument], env={}, capture_output=True, timeout=5)
        expect(done.returncode == 0 and b"staticip" in done.stdout, argument, done)


def test_errors_are_whole_JSON_whatever_bytes_came_in(h):
    for evil in (b'"', b"\\", b"\xff\xfe", b"\xc3", b"\xed\xa0\x80", b"\x01\x1f\x7f", b"%s%n", b"</script>"):
        args = b"K8S_POD_NAMESPACE=default;K8S_POD_NAME=" + evil
        # SS-12: a quote in the pod's name made the predecessor's error invalid JSON
        h.call("ADD", ipam_conf(), {"CNI_ARGS": args}).error(4, "is no pod name")
        h.call("ADD", ipam_conf(), {"CNI_ARGS": evil}).error(4, "invalid pair")
        h.call("ADD", ipam_conf(), {"CNI_CONTAINERID": b"x" + evil}).error(4, "containerID")
        h.call(evil, ipam_conf()).error(4, "unknown CNI_COMMAND")


def test_input_that_is_no_JSON_object_is_code_6(h):
    # SS-08, IX-23
    for text in (b"", b"{", b"{{}", b"}", b'{"ipam":', b"[]", b"7", b'"x"', b"null", b"{}{}", b"\xff",
                 b'{"name":"mynet","a":"\xff"}', b'{"name":"mynet"}\x00', b"{'name':'mynet'}",
                 b'{"a":' * 40 + b"1" + b"}" * 40, b"[" * 500000):
        h.call("ADD", text).error(6, "network configuration")


def test_input_over_its_maximum_is_refused_at_once(h):
    start = time.monotonic()
    h.call("ADD", b" " * (10 << 20)).error(6, "larger than 1048576 bytes")
    expect(time.monotonic() - start < 2, "it took long")


def test_a_version_that_is_not_ours_is_code_1_with_the_list(h):
    for version in ("2.0.0", "0.5.0", "1.1", "x"):
        h.call("ADD", ipam_conf(version)).error(1, "incompatible CNI versions", version, "1.1.0")


def test_wrong_types_in_the_configuration_are_code_7(h):
    h.call("ADD", ipam_conf(7)).error(7, "cniVersion")
    h.call("ADD", ipam_conf(name=7)).error(7, "name")
    h.call("ADD", ipam_conf(name="n" * 175)).error(7, "longer than 174")
    h.call("ADD", ipam_conf(name="a/b")).error(7, "invalid characters found in network name")
    for ipam in (7, [], "staticip", None):
        h.call("ADD", ipam_conf(ipam=ipam)).error(7, "IPAM config missing 'ipam' key")
    h.call("ADD", ipam_conf(ipam={"type": "static"})).error(7, "another plugin's")


def test_one_object_cannot_have_both_roles(h):
    for verb in ("ADD", "CHECK"):
        h.call(verb, ipam_conf(type="staticip")).error(7, "twice in one object")
    h.call("DEL", ipam_conf(type="staticip")).silent()


def test_an_unknown_command_is_code_4(h):
    # IX-22
    for verb in ("add", "Add", "ADD ", "NOPE", "x" * 500):
        h.call(verb, ipam_conf()).error(4, "unknown CNI_COMMAND")


def test_CNI_ARGS_are_read_as_the_reference_reads_them(h):
    def add(args):
        return h.call("ADD", ipam_conf(), {"CNI_ARGS": args})
    pod = "K8S_POD_NAMESPACE=default;K8S_POD_NAME=p"
    add(pod).ok()
    add("A=1;%s;IgnoreUnknown=TRUE" % pod).ok()
    add("A=1;%s;IgnoreUnknown=0" % pod).error(4, 'unknown args ["A"]')
    add("A=1;" + pod).error(4, 'unknown args ["A"]')
    add(pod + ";").error(4, "invalid pair")
    add(pod + ";IP").error(4, "invalid pair")
    add(pod + ";IP==").error(4, "invalid pair")
    add(pod + ";IgnoreUnknown=yes").error(4, "boolean")
    add(pod + ";k8s_pod_name=x").error(4, "unknown args")
    # SS-09: the last of two counts
    add("K8S_POD_NAMESPACE=default;K8S_POD_NAME=q;K8S_POD_NAME=p").ok()
    # SS-07
    for missing in ("", "IgnoreUnknown=1", "K8S_POD_NAME=p", "K8S_POD_NAMESPACE=default;K8S_POD_NAME="):
        add(missing).error(4, "CNI_ARGS has no K8S_POD_NAM", "container runtime")


def test_DEL_GC_and_STATUS_leave_nothing_and_print_nothing(h):
    conf = ipam_conf("1.1.0")
    for _ in range(2):  # SS-10, PR26: twice, without netns, for a container never added
        h.call("DEL", conf, {"CNI_NETNS": "/gone"}).silent()
        h.call("DEL", conf, unset=("CNI_NETNS", "CNI_ARGS")).silent()
        h.call("GC", conf, unset=("CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME")).silent()
        h.call("STATUS", conf, unset=("CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME")).silent()
    h.call("DEL", dict(conf, ipam={"type": "staticip", "subnet": "10.0.0.0/24"})).silent()
    tables.clear()
    h.call("DEL", conf).silent()
    h.call("GC", conf).silent()
    h.call("STATUS", conf).error(50, "no table was published")
    h.call("STATUS", ipam_conf("1.1.0", type="staticip", ipam={})).silent()


def test_a_result_that_cannot_be_written_is_a_failure(h):
    with open("/dev/full", "w") as full:
        done = subprocess.run([h.plugin], input=json.dumps(ipam_conf()).encode(), stdout=full, timeout=5,
                              env={"CNI_COMMAND": "ADD", "CNI_CONTAINERID": "c", "CNI_NETNS": "/x",
                                   "CNI_IFNAME": "eth0", "CNI_PATH": "/x", "CNI_ARGS": POD})
    expect(done.returncode == 1, "exit %d" % done.returncode)
