"""The API server of a stack's cluster: one client a thread, and the snapshot of a run.

Answers are read as plain JSON: the client's models would cost more time than the requests.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from scripts.errors import PodpathError
from scripts.probing.snapshot import Snapshot, snapshot_of

LISTS = (
    "/api/v1/nodes",
    "/api/v1/pods",
    "/api/v1/services",
    "/apis/discovery.k8s.io/v1/endpointslices",
    "/apis/networking.k8s.io/v1/ingresses",
    "/apis/gateway.networking.k8s.io/v1/gateways",
)
PATIENCE = (3.0, 10.0)
"""Time to connect and time to answer, in seconds."""


class NotThere(PodpathError):
    """The API server knows no such thing (404)."""


class Kube:
    """The REST side of a cluster. Exec uses ``configuration`` alone, so it shares no client with it."""

    def __init__(self, kubeconfig: Path, stack: str) -> None:
        if not kubeconfig.exists():
            raise PodpathError(f"no cluster answers for stack {stack}: run scripts/up {stack}.")
        from kubernetes.client.configuration import Configuration
        from kubernetes.config import load_kube_config

        self.stack = stack
        self.configuration = Configuration()
        self.configuration.retries = False
        load: Any = load_kube_config
        load(config_file=str(kubeconfig), client_configuration=self.configuration)
        self._own = threading.local()

    def get(self, path: str, **query: str) -> dict[str, Any]:
        """GET as JSON; raises PodpathError when the server cannot be reached or refuses."""
        return self._call("GET", path, query)

    def delete(self, path: str, **query: str) -> dict[str, Any]:
        """DELETE as JSON; raises PodpathError like ``get``."""
        return self._call("DELETE", path, query)

    def patch(self, path: str, change: Mapping[str, Any]) -> dict[str, Any]:
        """PATCH by a JSON merge patch (RFC 7386); raises PodpathError like ``get``."""
        return self._call("PATCH", path, {}, change)

    def snapshot(self) -> Snapshot:
        """The API's view now; the lists are fetched at the same time."""
        with ThreadPoolExecutor(len(LISTS)) as pool:
            return snapshot_of(*pool.map(self._items, LISTS))

    def _items(self, path: str) -> list[Any]:
        """What a list holds; an API that the cluster does not have holds nothing."""
        try:
            return list(self.get(path)["items"])
        except NotThere:
            return []

    def _call(
        self, method: str, path: str, query: Mapping[str, str], body: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        client = self._client()
        kind = {"Content-Type": "application/merge-patch+json"} if body is not None else {}
        request = client.param_serialize(
            method,
            path,
            query_params=[*query.items()],
            header_params=kind,
            body=body,
            auth_settings=["BearerToken"],
        )
        try:
            response = client.call_api(*request, _request_timeout=PATIENCE)
            data: bytes = response.read()
        except (ApiException, HTTPError, OSError) as error:
            why = f"no cluster answers for stack {self.stack}: run scripts/up {self.stack}."
            raise PodpathError(why) from error
        if not 200 <= response.status <= 299:
            said = data.decode(errors="replace").strip().splitlines() or [""]
            kind_of = NotThere if response.status == 404 else PodpathError
            raise kind_of(f"the API server answered {method} {path} with {response.status}: {said[0][:200]}")
        loaded: dict[str, Any] = json.loads(data)
        return loaded

    def _client(self) -> Any:
        if not hasattr(self._own, "client"):
            from kubernetes.client.api_client import ApiClient

            self._own.client = ApiClient(self.configuration)
        return self._own.client
