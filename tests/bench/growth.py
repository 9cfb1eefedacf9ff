"""What ADD and DEL cost must not depend on how many leases others have on the node."""
import json
import os
import shutil

import counts
import setting

GROWTH_MAX = 1.05     # from 1 to FOREIGN leases, measured 1.00
FOREIGN = 20000       # /16 of IPv4 has room for three times as many
TRIES = 4             # json-c's hash has a random seed: a start costs 1 % more or less


def template(contender):
    """A lease as the plugin writes it."""
    leases = contender.root + "/leases"
    shutil.rmtree(leases, ignore_errors=True)
    done = contender.run(setting.PODS - 1)
    assert done.returncode == 0, done.stdout
    folder = leases + "/by-attachment/mynet/"
    with open(folder + os.listdir(folder)[0]) as file:
        text = file.read()
    contender.run_undo(setting.PODS - 1)
    shutil.rmtree(leases)
    return json.loads(text), len(text)


def foreign_leases(contender, count, first):
    """So many attachments of others, with addresses from first on, as that many ADDs leave them."""
    lease, length = template(contender)
    leases = contender.root + "/leases"
    by_address, by_attachment = leases + "/network/mynet/", leases + "/by-attachment/mynet/"
    os.makedirs(by_address)
    os.makedirs(by_attachment)
    os.chmod(leases, 0o700)
    for i in range(count):
        ip = setting.address(first + i)
        lease.update(container="other-%d" % i, pod="other-%d" % i, uid="other-%d" % i, ips=[ip + "/16"])
        with open(by_address + ip, "w") as file:
            file.write(json.dumps(lease, separators=(",", ":")).ljust(length))
        os.link(by_address + ip, "%sother-%d:eth0" % (by_attachment, i))
    with open(by_address + ".last.0", "w") as file:  # where a range goes on
        file.write(setting.address(first + count - 1).ljust(46) + "\n")


def cost(contender):
    """{(what, verb): number}; each ADD is undone by the DEL behind it."""
    found = {}
    for verb in ("ADD", "DEL"):
        found["instructions", verb] = min(counts.instructions(contender, i, verb) for i in range(TRIES))
    for verb in ("ADD", "DEL"):
        found["system calls", verb] = sum(counts.system_calls(contender, verb).values())
    return found


def check(gates, plugin):
    table = setting.ours("ours", plugin, setting.make_table(1000, 64), 1000)
    dynamic = setting.inline(plugin)[1]
    for contender, first in ((table, 200 << 16), (dynamic, 133 << 16 | 2)):
        foreign_leases(contender, 1, first)
        few = cost(contender)
        foreign_leases(contender, FOREIGN, first)
        many = cost(contender)
        left = len(os.listdir(contender.root + "/leases/by-attachment/mynet"))
        for what, verb in few:
            gates.at_most("%s of %s of %s, %d leases of others, x 1 lease" % (what, verb, contender.name, FOREIGN),
                          many[what, verb] / few[what, verb], GROWTH_MAX, "(%d, %d)" % (many[what, verb], few[what, verb]))
        gates.at_most("leases of others that are gone", FOREIGN - left, 0)
        shutil.rmtree(contender.root + "/leases")
