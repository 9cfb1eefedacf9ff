"""The independent watcher (tests/watcher) beside the simulated nodes: a program that shares nothing with
us, looks into all sandboxes by itself, and says what address is in two of them."""
import os
import re
import subprocess
import threading
import time

LOOK_S = 20


class Outside:
    """inodes: of a network namespace -> the last sandbox that had it; asserted: UIDs that a person
    declared gone, whose addresses may be another's."""

    def __init__(self, build, work, prefixes, inodes, asserted):
        self.pid_file = f"{work}/watcher.pid"  # for who ends what a test that failed has left
        self.state, self.inodes, self.asserted, self.wrong, self.last = f"{work}/watcher.state", inodes, asserted, [], ""
        self.process = subprocess.Popen([f"{build}/tests/watcher/watcher", "--mounted", f"--nodes={work}/machine-*.pid", f"--state={self.state}", *prefixes],
                                        stdout=subprocess.PIPE, text=True)
        with open(self.pid_file, "w") as out:
            out.write(f"{self.process.pid}\n")
        self.thread = threading.Thread(target=self.listen, daemon=True)
        self.thread.start()

    def listen(self):
        for line in self.process.stdout:
            self.last = line.strip()
            if " duplicate " in line:
                self.judge(line)

    def judge(self, line):
        """Between two sandboxes of one pod it is the plugin's and the kubelet's business."""
        users = [self.inodes.get(int(inode)) for inode in re.findall(r"netns (\d+)", line)]
        uids = {user.uid for user in users if user}
        if len(uids) > 1 and not uids & self.asserted or None in users:
            self.wrong.append(f"the watcher: {line.strip()}: " + " and ".join(map(str, users)))

    def seen(self):
        """(number of the look, addresses) of the last look."""
        try:
            with open(self.state) as state:
                head, *lines = state.read().splitlines()
        except FileNotFoundError:
            return 0, set()
        return int(head.split()[1]), {line.split()[0] for line in lines}

    def must_see(self, addresses):
        """"" when a look that begins after now sees all of them: an empty look proves nothing."""
        before, end = self.seen()[0], time.monotonic() + LOOK_S
        while time.monotonic() < end:
            number, seen = self.seen()
            if number > before + 1:
                missing = sorted(addresses - seen)
                return f"the watcher does not see {missing}" if missing else ""
            time.sleep(0.1)
        return f"the watcher does not look: {self.last}"

    def end(self):
        """What it says at its end."""
        self.process.terminate()
        self.process.wait(30)
        self.thread.join(30)
        os.unlink(self.pid_file)
        return self.last.split(" end: ")[-1]
