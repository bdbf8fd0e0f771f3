"""The application chain: each service's own words against the API's and the kernel's (claim P6)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from scripts.checks.base import Check, Command, Observation, Work
from scripts.checks.destinations import Service
from scripts.checks.verdict import PASSED, Failure, Finding, failed, inconclusive, passed, skipped
from scripts.ends import ip_of
from scripts.evidence.identity import HEADER_NONCE
from scripts.evidence.snapshot import PodInfo
from scripts.evidence.view import View
from scripts.transport.executor import Place
from scripts.transport.tokens import token

DATABASE_PORT = 5432
PATIENCE = 6.0
"""Seconds for the whole chain: the REST service gives the database three, and then says so."""


@dataclass(frozen=True)
class Chain(Check):
    """One GET whose JSON tells, service by service, who answered whom and what the database stored."""

    to: Service
    path: str = "/orders"

    def __str__(self) -> str:
        return f"{self.to} for {self.path}, through every service behind it"

    @property
    def expected(self) -> str:
        """Each link is the Pod that the API has there, saw the one before, and passed data on."""
        return "frontend, REST service and database each saw the one before, and the data came back"

    def work(self, probe: str, place: Place, view: View) -> Work:
        """One curl that prints its report after the answer; any Pod of the lab may open connections."""
        target, nonce = self.to.target(place, view), f"{probe}.{token(4, probe)}"
        header = ["--header", f"{HEADER_NONCE}: {nonce}", "--header", "Connection: close"]
        limit = ["--noproxy", "*", "--max-time", f"{PATIENCE:g}", "--write-out", "\\n%{json}"]
        argv = ("curl", "-q", "-s", *header, *limit, target.url("http", self.path))
        pods = frozenset(
            pod.ip for pod in view.snapshot.pods if pod.namespace == view.namespace(self.to.lab) and pod.ip
        )
        return Work(commands=(Command(place, "chain", argv),), target=target, nonce=nonce, clients=pods)

    def judge(self, seen: Observation) -> Finding:
        """The first break in the chain: who answered, whom each saw, what was stored and read."""
        output = seen.outputs["chain"]
        body, _, report = output.text.rpartition("\n")
        client, told = _json(report), _json(body)
        if not isinstance(client, dict) or "exitcode" not in client:
            why = f"no complete answer came back: {output.text[-200:]!r}"
            return inconclusive(Failure.LOST_EXIT_CODE, why)
        if client["exitcode"] or output.returncode:
            kind = Failure.TIMED_OUT if client["exitcode"] == 28 else Failure.NO_ANSWER
            why = f"{client['errormsg']} (curl exit {client['exitcode']})"
            return failed(kind, f"{seen.step.place} asked {self.to} for {self.path} and got nothing: {why}")
        if client["http_code"] != 200:
            said = told.get("error") if isinstance(told, dict) else None
            return failed(Failure.BROKEN_CHAIN, f"HTTP status {client['http_code']}: {said or body[:200]}")
        return self._links(seen, told) or PASSED

    def _links(self, seen: Observation, told: Any) -> Finding | None:
        frontends, rests, databases = (
            {pod.name: pod for pod in seen.view.pods(self.to.lab, workload)}
            for workload in ("frontend", "rest", "database")
        )
        rest_told = told.get("rest") if isinstance(told, dict) else None
        stored = rest_told.get("database") if isinstance(rest_told, dict) else None
        if not isinstance(rest_told, dict) or not isinstance(stored, dict):
            why = f"the answer does not reach the database: {str(told)[:200]}"
            return failed(Failure.BROKEN_CHAIN, why)
        frontend, rest = frontends.get(str(told.get("pod"))), rests.get(str(rest_told.get("pod")))
        if frontend is None or rest is None:
            who = f"{told.get('pod')} and {rest_told.get('pod')}"
            return failed(Failure.WRONG_RESPONDER, f"{who} answered, and the API has no such Pods there")
        caller = ip_of(str(rest_told.get("peer", "")))
        if caller != frontend.ip:
            why = f"the REST service saw {caller}, the frontend is {frontend.ip}"
            return failed(Failure.WRONG_SOURCE, why)
        database = next((pod for pod in databases.values() if pod.ip == stored.get("server")), None)
        if database is None:
            why = f"{stored.get('server')} stored the request, which is not a database Pod"
            return failed(Failure.WRONG_RESPONDER, why)
        if stored.get("client") != rest.ip:
            why = f"the database saw {stored.get('client')}, the REST service is {rest.ip}"
            return failed(Failure.WRONG_SOURCE, why)
        nonces = {rest_told.get("nonce"), stored.get("nonce")}
        if nonces != {seen.step.work.nonce}:
            return failed(Failure.WRONG_NONCE, f"the nonces along the chain are {nonces}, not the request's")
        if not rest_told.get("orders"):
            return failed(Failure.BROKEN_CHAIN, "no data came back from the database")
        if rest.node == database.node and len(seen.view.snapshot.workers) < 2:
            return skipped(f"the chain works, all of it on {rest.node}: the cluster has no other worker")
        if rest.node == database.node:
            why = f"REST service and database are both on {rest.node}, not on two nodes"
            return failed(Failure.WRONG_PATH, why)
        return _tracked(seen, rest, database, int(stored.get("clientPort") or 0))


def _json(text: str) -> Any:
    """The value that a text holds; None if it is not JSON."""
    try:
        return json.loads(text)
    except ValueError:
        return None


def _tracked(seen: Observation, rest: PodInfo, database: PodInfo, port: int) -> Finding | None:
    """A finding unless both nodes' kernels saw the connection to the database, without NAT."""
    if seen.view.blind:  # the database itself saw the REST service's own address
        return passed(f"by each service's own words: the kernel's view is missing ({seen.view.blind})")
    if problem := seen.kernel.problem({rest.node, database.node}, "connections"):
        return inconclusive(Failure.NO_EVIDENCE, f"the kernel's view is missing: {problem}")
    entries = seen.kernel.index.of((rest.ip, port), (database.ip, DATABASE_PORT))
    for node, entry in entries:
        if entry.translated:
            return failed(Failure.NAT_FOUND, f"{node} translated the connection: {entry.line}")
    missing = {rest.node, database.node} - {node for node, _ in entries}
    if missing:
        why = f"netfilter on {', '.join(sorted(missing))} tracked no connection from {rest.ip}:{port}"
        return inconclusive(Failure.NO_EVIDENCE, why)
    return None
