"""The API server, as the simulated cluster speaks to it: connections that threads share one after
the other, requests that outlast a server that is away, and watches that list again."""
import collections
import http.client
import json
import ssl
import time

TOKEN = "secret"
AWAY_S = 60  # how long a request is tried again
MERGE = "application/merge-patch+json"
SIP = "/apis/staticip.dev/v1alpha1"


class Api:
    def __init__(self, url):
        self.host = url.split("//")[1]
        self.context = ssl._create_unverified_context()
        self.idle = collections.deque()  # a thread lives for one pod: TLS is begun more rarely

    def connect(self, timeout=10):
        return http.client.HTTPSConnection(self.host, timeout=timeout, context=self.context)

    def once(self, method, path, body, kind):
        try:
            connection = self.idle.pop()
        except IndexError:
            connection = self.connect()
        connection.request(method, path, json.dumps(body) if body is not None else None,
                           {"Authorization": "Bearer " + TOKEN, "Content-Type": kind})
        answer = connection.getresponse()
        data = answer.read()
        self.idle.append(connection)
        return answer.status, json.loads(data) if data[:1] == b"{" else {"message": data.decode("utf-8", "replace")}

    def call(self, method, path, body=None, kind="application/json"):
        """(status, object). A request that found no answer is sent again: it may be carried out twice."""
        end = time.monotonic() + AWAY_S
        while time.monotonic() < end:
            try:
                status, answer = self.once(method, path, body, kind)
                # 401, 403: a starting API server has not read its rules yet
                if status < 500 and status not in (401, 403, 429):
                    return status, answer
            except (OSError, http.client.HTTPException, ValueError):
                pass
            time.sleep(0.1)
        raise RuntimeError(f"{method} {path}: the API server does not come back")

    def must(self, method, path, body=None, kind="application/json"):
        status, answer = self.call(method, path, body, kind)
        if status >= 300:
            raise RuntimeError(f"{method} {path}: {status} {answer.get('message')}")
        return answer

    def watch(self, path, selector, ended):
        """Yields ("LIST", [objects]), then (type, object) of each event; lists again after an end."""
        while not ended.is_set():
            listed = self.must("GET", f"{path}?{selector}")
            yield "LIST", listed["items"]
            try:
                yield from self.events(f"{path}?{selector}&watch=1&resourceVersion={listed['metadata']['resourceVersion']}", ended)
            except (OSError, http.client.HTTPException, ValueError):
                time.sleep(0.1)

    def events(self, path, ended):
        connection = self.connect(timeout=5)
        connection.request("GET", path + "&timeoutSeconds=300&allowWatchBookmarks=true", None, {"Authorization": "Bearer " + TOKEN})
        answer = connection.getresponse()
        while not ended.is_set():
            try:
                line = answer.readline()
            except TimeoutError:
                return  # nothing for 5 s: listing again is cheap here, and a read that timed out cannot go on
            if not line:
                return
            event = json.loads(line)
            if event["type"] == "ERROR":
                return
            if event["type"] != "BOOKMARK":
                yield event["type"], event["object"]
