#!/usr/bin/env python3
"""churn.py API NAMESPACE SECONDS SEED: creates, edits and deletes allocations that
want each other's addresses, as fast as the API server answers; prints how many changes it made.
Goes on when the API server is away for a moment."""
import http.client
import json
import random
import ssl
import sys
import time

api, namespace, seconds, seed = sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4])
rng = random.Random(seed)
context = ssl._create_unverified_context()
host = api.split("//")[1]
base = f"/apis/staticip.dev/v1alpha1/namespaces/{namespace}/staticipallocations"
connection = None


def call(method, path, body=None, kind="application/json"):
    global connection
    for _ in range(100):
        try:
            connection = connection or http.client.HTTPSConnection(host, timeout=10, context=context)
            connection.request(method, path, json.dumps(body) if body else None,
                               {"Authorization": "Bearer secret", "Content-Type": kind})
            answer = connection.getresponse()
            answer.read()
            # 401, 403: a starting API server has not read its rules yet
            if answer.status < 500 and answer.status not in (401, 403, 429):
                return answer.status
            time.sleep(0.1)
        except (OSError, http.client.HTTPException):
            connection = None
            time.sleep(0.1)
    sys.exit("churn: the API server does not come back")


def spec(number):
    """2 to 4 entries out of 40 addresses that all compete for."""
    first = rng.randrange(1, 37)
    count = rng.randrange(2, 5)
    pool = rng.sample(range(1, 41), count)
    if rng.random() < 0.3:
        return {"addressRanges": [f"10.77.0.{first}-10.77.0.{first + count - 1}/24"]}
    return {"addresses": [{"ips": [f"10.77.0.{a}/24", f"fd77::{a:x}/64"]} for a in pool]}


def write(number):
    body = {"apiVersion": "staticip.dev/v1alpha1", "kind": "StaticIPAllocation",
            "metadata": {"name": f"a{number}", "namespace": namespace},
            "spec": {"network": "podnet", "targetRef": {"kind": "StatefulSet", "name": f"s{number}"}, **spec(number)}}
    if call("POST", base, body) == 409:
        body["spec"].setdefault("addresses", None)
        body["spec"].setdefault("addressRanges", None)
        return call("PATCH", f"{base}/a{number}", {"spec": body["spec"]}, "application/merge-patch+json")
    return 201


changes, end = 0, time.monotonic() + seconds
while time.monotonic() < end:
    number = rng.randrange(20)
    status = call("DELETE", f"{base}/a{number}") if rng.random() < 0.3 else write(number)
    if status in (400, 422):
        sys.exit(f"churn: status {status}")
    changes += status < 300
print(changes)
