"""How the application chain is judged: each service's own words against the API's and the kernel's."""

from __future__ import annotations

import json
from typing import Any

from labs import model
from scripts.probing.judges.base import judge
from scripts.probing.observation import Observation
from scripts.probing.snapshot import PodInfo
from scripts.probing.verdict import PASSED, Failure, Finding, failed, inconclusive

DATABASE_PORT = 5432


@judge.register
def _(expected: model.ChainComplete, seen: Observation) -> Finding:
    output = seen.outputs["chain"]
    body, _, report = output.text.rpartition("\n")
    client, told = _json(report), _json(body)
    if not isinstance(client, dict) or "exitcode" not in client:
        return inconclusive(Failure.LOST_EXIT_CODE, f"no whole answer came back: {output.text[-200:]!r}")
    if client["exitcode"] or output.returncode:
        return failed(Failure.NO_ANSWER, f"{client['errormsg']} (curl exit {client['exitcode']})")
    if client["http_code"] != 200:
        said = told.get("error") if isinstance(told, dict) else None
        return failed(Failure.BROKEN_CHAIN, f"HTTP status {client['http_code']}: {said or body[:200]}")
    frontend, rest, database = (_pods(seen, expected.lab, name) for name in ("frontend", "rest", "database"))
    return _chain(seen, told, frontend, rest, database) or PASSED


def _json(text: str) -> Any:
    """The value that a text holds, None where it is no JSON."""
    try:
        return json.loads(text)
    except ValueError:
        return None


def _pods(seen: Observation, lab: str, workload: str) -> dict[str, PodInfo]:
    return {pod.name: pod for pod in seen.view.pods(lab, workload)}


def _chain(
    seen: Observation,
    told: Any,
    frontends: dict[str, PodInfo],
    rests: dict[str, PodInfo],
    databases: dict[str, PodInfo],
) -> Finding | None:
    """The first break in the chain, or None: who answered, whom each saw, what was stored and read."""
    rest_told = told.get("rest") if isinstance(told, dict) else None
    stored = rest_told.get("database") if isinstance(rest_told, dict) else None
    if not isinstance(rest_told, dict) or not isinstance(stored, dict):
        return failed(Failure.BROKEN_CHAIN, f"the answer does not reach the database: {str(told)[:200]}")
    frontend, rest = frontends.get(str(told.get("pod"))), rests.get(str(rest_told.get("pod")))
    if frontend is None or rest is None:
        who = f"{told.get('pod')} and {rest_told.get('pod')}"
        return failed(Failure.WRONG_RESPONDER, f"{who} answered, which the API does not have there")
    caller = str(rest_told.get("peer", "")).rpartition(":")[0]
    if caller != frontend.ip:
        return failed(Failure.WRONG_SOURCE, f"the REST service saw {caller}, the frontend is {frontend.ip}")
    database = next((pod for pod in databases.values() if pod.ip == stored.get("server")), None)
    if database is None:
        return failed(
            Failure.WRONG_RESPONDER, f"{stored.get('server')} stored the request, which is no database Pod"
        )
    if stored.get("client") != rest.ip:
        return failed(
            Failure.WRONG_SOURCE, f"the database saw {stored.get('client')}, the REST service is {rest.ip}"
        )
    nonces = {rest_told.get("nonce"), stored.get("nonce")}
    if nonces != {seen.step.work.nonce}:
        return failed(Failure.WRONG_NONCE, f"the nonces on the way are {nonces}, not the request's")
    if not rest_told.get("orders"):
        return failed(Failure.BROKEN_CHAIN, "no data came back from the database")
    if rest.node == database.node:
        return failed(
            Failure.WRONG_PATH, f"REST service and database are both on {rest.node}, not on two nodes"
        )
    return _tracked(seen, rest, database, int(stored.get("clientPort") or 0))


def _tracked(seen: Observation, rest: PodInfo, database: PodInfo, port: int) -> Finding | None:
    """A finding unless both nodes' kernels saw the connection to the database, without NAT."""
    if problem := seen.kernel.problem({rest.node, database.node}):
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
