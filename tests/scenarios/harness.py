"""Calls the plugin and judges its answers."""
import json
import os
import re
import subprocess
import time
import traceback

VERSIONS = ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"]
CHAINED = VERSIONS[2:]
POD = "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=p;K8S_POD_INFRA_CONTAINER_ID=abc;K8S_POD_UID=u-1"


class Failure(Exception):
    pass


def expect(truth, why, *shown):
    if not truth:
        raise Failure(why + "".join(" | %s" % (s,) for s in shown))


class Answer:
    def __init__(self, done):
        self.rc, self.raw, self.stderr = done.returncode, done.stdout, done.stderr
        self.text = self.raw.decode("utf-8", "backslashreplace")

    def json(self):
        try:
            return json.loads(self.raw.decode("utf-8"))
        except ValueError as e:
            raise Failure("the answer is no JSON: %s | %s" % (e, self.text[:300]))

    def ok(self):
        expect(self.rc == 0, "exit %d" % self.rc, self.text[:400], self.stderr[:200])
        return self

    def silent(self):
        self.ok()
        expect(self.raw == b"", "it prints something", self.text[:200])
        return self

    def result(self, version=None):
        self.ok()
        result = self.json()
        if version:
            expect(result.get("cniVersion") == version, "not in the version asked", self.text)
        return result

    def error(self, code, *words):
        """A CNI error object of this code whose msg and details have these words."""
        expect(self.rc == 1, "exit %d instead of 1" % self.rc, self.text[:400])
        error = self.json()
        expect(set(error) == {"cniVersion", "code", "msg", "details"}, "keys", self.text)
        expect(error["code"] == code, "code %s instead of %s" % (error["code"], code), self.text)
        whole = "%s; %s" % (error["msg"], error["details"])
        for word in words:
            expect(word in whole, "'%s' is not in the message" % word, whole)
        return error


class Harness:
    def __init__(self, plugin, only=re.compile("")):
        self.plugin, self.only = plugin, only
        self.passed = self.failed = 0
        self.netns = None  # where the plugin runs; None: here

    def case(self, name, act):
        if not self.only.search(name):
            return
        start = time.monotonic()
        try:
            act()
            self.passed += 1
        except Failure as e:
            self.failed += 1
            print("FAIL %s: %s" % (name, e))
        except Exception:
            self.failed += 1
            print("FAIL %s:\n%s" % (name, traceback.format_exc()))
        if time.monotonic() - start > 5:
            print("slow: %s took %.0f s" % (name, time.monotonic() - start))

    def run_module(self, module):
        setup = getattr(module, "setup", lambda h: None)
        for name, act in list(vars(module).items()):
            if name.startswith("test_"):
                self.case(name[5:].replace("_", " "), lambda: (setup(self), act(self)))

    def call(self, verb, conf, env=None, unset=(), wrap=(), more=(), timeout=20, **popen):
        """conf: an object, or bytes as they are. env adds to the usual variables. The
        command is wrap, the plugin, more."""
        environment = {"CNI_COMMAND": verb, "CNI_CONTAINERID": "dummy", "CNI_NETNS": "/some/where",
                       "CNI_IFNAME": "eth0", "CNI_PATH": "/some/cni/path", "CNI_ARGS": POD,
                       "PATH": os.environ["PATH"]}
        environment.update(env or {})
        for name in unset:
            environment.pop(name, None)
        if "stdin" not in popen:
            popen["input"] = conf if isinstance(conf, bytes) else json.dumps(conf).encode()
        command = list(wrap) + [self.plugin] + list(more)
        if self.netns:
            command = ["nsenter", "--net=" + self.netns] + command
        return Answer(subprocess.run(command, env=environment, stdout=subprocess.PIPE,
                                     stderr=subprocess.PIPE, timeout=timeout, **popen))


def ipam_conf(version="1.0.0", **more):
    conf = {"cniVersion": version, "name": "mynet", "type": "macvlan", "ipam": {"type": "staticip"}}
    conf.update(more)
    return conf


def family(address):
    return 6 if ":" in address else 4


def canonical(result, version):
    """A result in the shape of 1.0.0, without cniVersion."""
    if version in ("0.1.0", "0.2.0"):
        out = {"ips": []}
        for key in ("ip4", "ip6"):
            if key in result:
                entry = {"address": result[key]["ip"]}
                if "gateway" in result[key]:
                    entry["gateway"] = result[key]["gateway"]
                out["ips"].append(entry)
                if result[key].get("routes"):
                    out.setdefault("routes", []).extend(result[key]["routes"])
        return with_dns(out, result)
    for ip in result.get("ips", []):
        if version.startswith("0."):
            expect(ip.get("version") == str(family(ip["address"])), "version of an address", result)
        else:
            expect("version" not in ip, "version in ips of %s" % version, result)
    out = {"ips": [{k: v for k, v in ip.items() if k != "version"} for ip in result.get("ips", [])]}
    if result.get("routes"):
        out["routes"] = result["routes"]
    return with_dns(out, result)


def with_dns(out, result):
    """An empty dns is as good as none: libraries differ."""
    if result.get("dns"):
        out["dns"] = result["dns"]
    return out


def as_version(wanted, version):
    """What of a 1.0.0 result is left in an older version."""
    wanted = json.loads(json.dumps(wanted))
    if version in ("0.1.0", "0.2.0"):
        have = {family(ip["address"]) for ip in wanted["ips"]}
        wanted["ips"].sort(key=lambda ip: family(ip["address"]))
        routes = [{k: r[k] for k in ("dst", "gw") if k in r} for f in (4, 6)
                  for r in wanted.get("routes", []) if family(r["dst"]) == f and f in have]
        wanted.pop("routes", None)
        if routes:
            wanted["routes"] = routes
    return wanted
