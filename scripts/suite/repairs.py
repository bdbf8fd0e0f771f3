"""What faults have damaged and not yet undone: kept before the damage, on disk and in the cluster.

A damage is known from three places, any of which is enough: a line in the stack's folder, a ConfigMap in the
cluster, and the marks on what was injected (rules, routes, folders of dead-men) on the nodes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from scripts.checks import undo
from scripts.errors import NotThere, PodpathError
from scripts.evidence import ruletrace
from scripts.fault._base import LABEL, MARK, ROUTES, Repair, repair_of
from scripts.suite.journal import Journal, entries_of, written
from scripts.transport import deadman
from scripts.transport.docker import docker
from scripts.transport.executor import Executor, Place, PodExecError, text_of

AGENTS = "/api/v1/namespaces/podpath-system/pods"
MAPS = "/api/v1/namespaces/podpath-system/configmaps"
SWEEP = f"""\
for d in {deadman.FOLDER}*; do
    [ -d "$d" ] && sh "$d/undo" >/dev/null 2>&1 && rm -rf "$d" && echo "${{d##*/}}"
done
for t in raw mangle nat filter; do
    marked=$(iptables-save -t $t 2>/dev/null | grep -e '--comment "\\?{MARK}:' | sed 's/^-A/-D/')
    echo "$marked" | grep . | while read -r rule; do
        echo "$rule" | xargs iptables -w -t $t && echo "rule of $t"
    done
done
for f in ip ip6; do nft delete table $f {ruletrace.TABLE} 2>/dev/null; done
if ip -4 route show table all proto {ROUTES} | grep .; then ip -4 route flush proto {ROUTES}; fi
true
"""
"""Undoes on a node whatever carries the mark, whoever put it there, and names it."""


class Api(undo.Api, Protocol):
    """What repairing needs of the API server."""

    def post(self, path: str, made: Mapping[str, Any]) -> dict[str, Any]:
        """POST as JSON."""
        ...


class Repairs:
    """The repairs that are still to be made: a journal in ``file``, and a ConfigMap for each fault."""

    def __init__(self, file: Path, api: Api) -> None:
        self._journal, self._api = Journal(file, repair_of), api

    def before(self, fault: str, repairs: Sequence[Repair]) -> None:
        """Keeps how the damage that comes next is undone: first on disk, then in the cluster."""
        self._journal.before_change(*repairs)
        hands = [line for repair in repairs for line in repair.by_hand]
        data = {"by-hand": "\n".join(hands), "repairs": written(repairs)}
        name = map_of(fault)
        made = {"metadata": {"name": name, "labels": {LABEL: fault}}, "data": data}
        try:
            self._api.post(MAPS, made)
        except PodpathError:
            self._api.patch(f"{MAPS}/{name}", made)

    def done(self, fault: str) -> None:
        """Forgets a fault that is undone, in the cluster first."""
        with suppress(NotThere):
            self._api.delete(f"{MAPS}/{map_of(fault)}")
        self._journal.undone(*(one for one in self.on_disk() if one.fault == fault))

    def on_disk(self) -> list[Repair]:
        """What is written down in the stack's folder."""
        return self._journal.pending()

    def in_cluster(self) -> list[Repair]:
        """What is written down in the cluster; nothing where it cannot be read."""
        try:
            maps = self._api.get(MAPS, labelSelector=LABEL).get("items", ())
        except PodpathError:
            return []
        return [each for one in maps for each in entries_of(one["data"].get("repairs", ""), repair_of)]

    def pending(self, exercises: bool) -> dict[str, list[Repair]]:
        """By fault, what is still to be repaired; ``exercises``: also what a learner is looking for."""
        every = list(dict.fromkeys([*self.on_disk(), *self.in_cluster()]))
        found: dict[str, list[Repair]] = {}
        for one in every:
            if exercises or not one.exercise:
                found.setdefault(one.fault, []).append(one)
        return found


def map_of(fault: str) -> str:
    """The name of a fault's ConfigMap."""
    return f"{MARK}-{fault.replace('_', '-')}"


def agents_now(api: Api) -> dict[str, Place]:
    """The node-agents that run now, by node: one that was asked before may be gone."""
    found = {}
    for pod in api.get(AGENTS, labelSelector="app=node-agent")["items"]:
        meta, spec, status = pod["metadata"], pod["spec"], pod.get("status", {})
        if status.get("phase") == "Running" and "deletionTimestamp" not in meta:
            box = spec["containers"][0]["name"]
            at = Place(box, meta["namespace"], meta["name"], meta["uid"], status["podIP"], spec["nodeName"])
            found[spec["nodeName"]] = at
    return found


def place_of(repair: Repair, agents: Mapping[str, Place]) -> Place:
    """Where a repair's commands run: in the node's agent, or in its container where there is none."""
    return agents.get(repair.at, Place(repair.at)) if repair.where == "agent" else Place(repair.at)


def play(repair: Repair, name: str, api: Api, execute: Executor, agents: Mapping[str, Place]) -> None:
    """Undoes one damage; raises PodpathError when it is still there."""
    if repair.where == "api":
        for argv in repair.undo:
            _call(api, *argv)
        return
    if repair.where == "engine":
        for argv in repair.undo:
            _engine(argv)
        return
    place = place_of(repair, agents)
    try:
        gone = deadman.disarm(execute, place, name, repair.undo, repair.there)
    except PodExecError as error:
        if not place.pod:
            raise PodpathError(f"{error}.") from None
        gone = deadman.disarm(execute, Place(repair.at), name, repair.undo, repair.there)
    if not gone:
        raise PodpathError(f"the damage at {repair.at} is still there after {'; '.join(repair.by_hand)}.")


def reap(
    repairs: Repairs,
    api: Api,
    execute: Executor,
    tell: Callable[[str], None],
    exercises: bool = False,
    sweep: bool = False,
    containers: bool = True,
) -> list[str]:
    """Undoes whatever a killed run has left damaged, and names it; what cannot be undone now is kept.

    ``sweep``: the nodes are looked through for marks as well, whatever the journals say. ``containers``: the
    nodes are containers of this machine's engine that podpath made.
    """
    pending = repairs.pending(exercises)
    if not pending and not sweep:
        return []
    agents, undone = agents_now(api), []
    for fault, each in pending.items():
        try:
            for n, one in reversed([*enumerate(each)]):
                play(one, f"{fault}-{n}", api, execute, agents)
        except (PodpathError, PodExecError) as error:
            tell(f"the fault {fault} of a killed run is not undone: {error} The next command tries again.")
            continue
        repairs.done(fault)
        undone.append(fault)
    if sweep and not any(one.exercise for one in repairs.on_disk()):
        undone += swept(execute, agents, containers)
    if undone:
        tell(f"a run was killed; undid its faults: {', '.join(undone)}")
    return undone


def swept(execute: Executor, agents: Mapping[str, Place], containers: bool = True) -> list[str]:
    """What was still marked on the nodes and is undone now; a node that does not answer is left alone.

    Without ``containers`` only the nodes' agents are asked.
    """

    def look(node: str) -> list[str]:
        found = []
        for place in (agents[node], *([Place(node)] if containers else [])):
            try:
                done = execute(place, ["sh", "-c", SWEEP], timeout=5)
            except PodExecError:
                continue
            found += text_of(done.stdout).split("\n")
        return [f"{line.strip()} on {node}" for line in found if line.strip()]

    with ThreadPoolExecutor(max(1, len(agents))) as threads:
        return [line for lines in threads.map(look, agents) for line in lines]


def _call(api: Api, method: str, path: str, body: str) -> None:
    """A call of the API server; what is as it should be already is no error."""
    try:
        if method == "PATCH":
            api.patch(path, json.loads(body))
        elif method == "DELETE":
            api.delete(path)
        else:
            try:
                api.get(f"{path}/{json.loads(body)['metadata']['name']}")
            except NotThere:
                api.post(path, json.loads(body))
    except NotThere:
        pass


def _engine(argv: Iterable[str]) -> None:
    """A Docker command; a container that was not paused is as it should be."""
    words = list(argv)
    docker(*words, check=words[0] != "unpause")


def call(api: Api, method: str, path: str, body: str) -> None:
    """A call of the API server that damages; raises PodpathError."""
    if method == "PATCH":
        api.patch(path, json.loads(body))
    elif method == "DELETE":
        api.delete(path)
    else:
        api.post(path, json.loads(body))
