"""What a start costs whatever the machine does meanwhile: instructions (callgrind)
and system calls (strace)."""
import collections
import os
import re

LOG = "/run/bench/count"


def instructions(contender, number=0, verb="ADD"):
    """Of one start and its children, of a DEL behind an ADD; None where valgrind cannot run
    the program."""
    wrap = ["/usr/bin/valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", "--log-file=" + LOG]
    if verb == "DEL":
        contender.run(number)
    done = contender.run(number, verb, wrap)
    if verb == "ADD":
        contender.run_undo(number)
    if done.returncode:
        return None
    with open(LOG) as file:
        return int(re.search(r"Collected : (\d+)", file.read()).group(1))


def system_calls(contender, verb="ADD", number=0):
    """{name: how often} of one start, execve and exit_group included."""
    done = contender.run(number, verb, wrap=["/usr/bin/strace", "-f", "-o", LOG])
    if done.returncode:
        raise RuntimeError("%s of %s failed: %s" % (verb, contender.name, done.stdout + done.stderr))
    calls = collections.Counter()
    with open(LOG) as file:
        for line in file:
            name = re.match(r"^\d+\s+(?:<\.\.\. )?(\w+)(?:\(| resumed)", line)
            if name and "<unfinished" not in line:
                calls[name.group(1)] += 1
    os.unlink(LOG)
    return calls
