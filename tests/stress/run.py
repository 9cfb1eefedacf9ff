"""Runs the crash points, then rounds of random acts. See run.sh."""
import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../scenarios"))

import crashes  # noqa: E402
import harness  # noqa: E402
import rounds  # noqa: E402


def main():
    seconds = float(os.environ.get("STRESS_SECONDS", "60"))
    seed = int(os.environ.get("STRESS_SEED") or random.randrange(1 << 32))
    h = harness.Harness(sys.argv[1])
    print("stress: STRESS_SEED=%d" % seed, flush=True)
    if not os.environ.get("STRESS_ROUNDS_ONLY"):
        h.run_module(crashes)
    rounds.run(h, seed, seconds)
    print("stress: %d passed, %d failed" % (h.passed, h.failed))
    sys.exit(1 if h.failed or not h.passed else 0)


main()
