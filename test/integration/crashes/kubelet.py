"""The Job controller and the kubelet, by script: Jobs get a Pod, Pods run and end as they are told.

Logs are served as a kubelet serves them: the API server comes here for them.
"""

from __future__ import annotations

import datetime
import hashlib
import http.server
import itertools
import json
import pathlib
import queue
import ssl
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .api import Api, ApiError, Mirror, Object

NODE = "node-of-the-tests"
COMPONENT = "rl-arena.io/component"
OURS = "app.kubernetes.io/managed-by"


def stamp() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def digest_of(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


@dataclass
class Ending:
    """How the containers of a build or scan end: exit codes and last words by container, 0 otherwise."""

    codes: dict[str, int] = field(default_factory=dict)
    messages: dict[str, str] = field(default_factory=dict)
    logs: dict[str, str] = field(default_factory=dict)


Script = Callable[[Object], Ending]


def report(image: str) -> str:
    """The line that `fetch report` prints."""
    counts = {level: {"total": 0, "fixable": 0} for level in ("critical", "high", "medium", "low", "unknown")}
    digest = image.rpartition("@")[2] if "@" in image else digest_of(image)
    line = {"digest": digest, "databaseDate": stamp(), "scannerVersion": "0.74.0", "counts": counts, "findings": []}
    return json.dumps(line) + "\n"


def goes_well(pod: Object) -> Ending:
    if pod["metadata"]["labels"][COMPONENT] == "scan":
        image = pod["spec"]["initContainers"][0]["args"][-1]
        return Ending(logs={"report": report(image)})
    digest = digest_of(pod["metadata"]["labels"]["rl-arena.io/submission"])
    return Ending(messages={one["name"]: digest for one in pod["spec"]["containers"]})


def terminated(name: str, ending: Ending) -> Object:
    code = ending.codes.get(name, 0)
    state = {"exitCode": code, "reason": "Error" if code else "Completed", "message": ending.messages.get(name, "")}
    return {"terminated": {**state, "startedAt": stamp(), "finishedAt": stamp(), "containerID": f"test://{name}"}}


def container(name: str, state: Object, ready: bool = False) -> Object:
    return {"name": name, "image": "i", "imageID": "i", "restartCount": 0, "ready": ready, "state": state}


class Kubelet:
    def __init__(self, api: Api, mirror: Mirror, folder: pathlib.Path, addresses: list[str]) -> None:
        self.api = api
        self.addresses = itertools.cycle(addresses)
        self.scripts: dict[str, Script] = {}  # by namespace
        self.logs: dict[tuple[str, str, str], str] = {}
        self.work: queue.Queue[tuple[str, str, Object] | None] = queue.Queue()
        self.trouble: list[str] = []
        self.serve_logs(folder)
        self.add_node()
        mirror.listeners.append(self.listen)
        threading.Thread(target=self.run, daemon=True).start()

    def add_node(self) -> None:
        self.api.call("POST", "/api/v1/nodes", {"metadata": {"name": NODE}})
        status = {
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self.server.server_address[1]}},
            "conditions": [{"type": "Ready", "status": "True", "reason": "Ready", "message": "by script"}],
        }
        self.api.call("PATCH", f"/api/v1/nodes/{NODE}/status", {"status": status})

    def serve_logs(self, folder: pathlib.Path) -> None:
        key, certificate = folder / "kubelet.key", folder / "kubelet.crt"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={NODE}"]
            + ["-keyout", str(key), "-out", str(certificate)],
            check=True,
            capture_output=True,
        )
        logs = self.logs

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, format: str, *args: Any) -> None:
                pass

            def do_GET(self) -> None:
                _, _, namespace, pod, name = self.path.partition("?")[0].split("/")
                text = logs.get((namespace, pod, name), "").encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def listen(self, kind: str, change: str, item: Object) -> None:
        if kind in ("jobs", "pods") and change != "DELETED":
            self.work.put((kind, change, item))

    def run(self) -> None:
        while (task := self.work.get()) is not None:
            kind, change, item = task
            try:
                if kind == "jobs" and change == "ADDED":
                    self.start_job(item)
                elif kind == "pods":
                    self.look_at_pod(change, item)
            except ApiError as error:
                self.trouble.append(f"{kind} {item['metadata']['name']}: {error}")

    def start_job(self, job: Object) -> None:
        meta, template = job["metadata"], job["spec"]["template"]
        owner = {"apiVersion": "batch/v1", "kind": "Job", "name": meta["name"], "uid": meta["uid"], "controller": True}
        labels = {**template["metadata"]["labels"], "batch.kubernetes.io/job-name": meta["name"]}
        pod = {
            "metadata": {"name": f"{meta['name']}-pod", "labels": labels, "ownerReferences": [owner]},
            "spec": {**template["spec"], "nodeName": NODE},
        }
        started = {"startTime": stamp(), "active": 1, "ready": 0}
        self.api.try_patch_status("jobs", meta["namespace"], meta["name"], started)
        self.api.create("pods", meta["namespace"], pod)

    def look_at_pod(self, change: str, pod: Object) -> None:
        meta = pod["metadata"]
        if "deletionTimestamp" in meta:
            self.api.delete("pods", meta["namespace"], meta["name"], gracePeriodSeconds=0)
        elif change == "ADDED" and meta["labels"][COMPONENT] == "agent":
            self.run_agent(pod)
        elif change == "ADDED":
            self.run_to_end(pod)

    def bind(self, pod: Object) -> None:
        """A Pod of the controller's own comes without a node."""
        if "nodeName" in pod["spec"]:
            return
        meta = pod["metadata"]
        path = self.api.path("pods", meta["namespace"], meta["name"], "binding")
        try:
            target = {"apiVersion": "v1", "kind": "Node", "name": NODE}
            self.api.call("POST", path, {"metadata": {"name": meta["name"]}, "target": target})
        except ApiError as error:
            if error.code not in (404, 409):
                raise

    def run_agent(self, pod: Object) -> None:
        meta = pod["metadata"]
        self.bind(pod)
        address = next(self.addresses)
        status = {
            "phase": "Running",
            "startTime": stamp(),
            "podIP": address,
            "podIPs": [{"ip": address}],
            "conditions": [{"type": kind, "status": "True"} for kind in ("PodScheduled", "Ready")],
            "containerStatuses": [container("agent", {"running": {"startedAt": stamp()}}, ready=True)],
        }
        self.api.try_patch_status("pods", meta["namespace"], meta["name"], status)

    def run_to_end(self, pod: Object) -> None:
        meta, spec = pod["metadata"], pod["spec"]
        namespace, name = meta["namespace"], meta["name"]
        ending = self.scripts.get(namespace, goes_well)(pod)
        for each, text in ending.logs.items():
            self.logs[namespace, name, each] = text
        inits, mains = ([one["name"] for one in spec.get(key, [])] for key in ("initContainers", "containers"))
        failed = next((one for one in inits if ending.codes.get(one)), None)
        waiting: Object = {"waiting": {"reason": "PodInitializing"}}
        status: Object = {
            "phase": "Running",
            "startTime": stamp(),
            "conditions": [{"type": "PodScheduled", "status": "True"}],
            "initContainerStatuses": [container(one, terminated(one, ending)) for one in inits],
            "containerStatuses": [
                container(one, waiting if failed else {"running": {"startedAt": stamp()}}) for one in mains
            ],
        }
        self.api.try_patch_status("pods", namespace, name, status)
        if not failed:
            status["containerStatuses"] = [container(one, terminated(one, ending)) for one in mains]
        good = not any(ending.codes.values())
        status["phase"] = "Succeeded" if good else "Failed"
        self.api.try_patch_status("pods", namespace, name, status)
        self.end_job(namespace, meta["ownerReferences"][0]["name"], good)

    def end_job(self, namespace: str, name: str, good: bool) -> None:
        def condition(kind: str) -> Object:
            return {"type": kind, "status": "True", "lastTransitionTime": stamp(), "reason": "By", "message": "script"}

        status: Object = {"active": 0, "ready": 0, "terminating": 0, "uncountedTerminatedPods": {}}
        if good:
            conditions = [condition("SuccessCriteriaMet"), condition("Complete")]
            status |= {"succeeded": 1, "completionTime": stamp(), "conditions": conditions}
        else:
            status |= {"failed": 1, "conditions": [condition("FailureTarget"), condition("Failed")]}
        self.api.try_patch_status("jobs", namespace, name, status)

    def stop(self) -> None:
        self.work.put(None)
        self.server.shutdown()
        self.server.server_close()
