"""The API server of a stack's cluster: one client per thread.

Answers are read as plain JSON: the client's models would cost more time than the requests.
"""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.errors import Forbidden, NotThere, PodpathError
from scripts.transport.executor import printable, text_of
from scripts.transport.lists import listed

PATIENCE = (3.0, 10.0)
"""Time to connect and time to answer, in seconds."""


class Rest:
    """The REST side of a cluster. Exec uses ``configuration`` alone, so it shares no client with it."""

    def __init__(self, kubeconfig: Path, stack: str, given: bool = False) -> None:
        """``given``: podpath did not make the cluster, so it cannot make it answer."""
        if not kubeconfig.exists():
            raise PodpathError(f"no cluster answers for stack {stack}: run scripts/up {stack}.")
        from kubernetes.client.configuration import Configuration
        from kubernetes.config import load_kube_config

        self.stack, self._kubeconfig = stack, kubeconfig
        self._given = given
        self.configuration = Configuration()
        self.configuration.retries = False
        load: Any = load_kube_config
        try:
            load(config_file=str(kubeconfig), client_configuration=self.configuration)
        except OSError:
            raise
        except Exception as error:  # damaged YAML ends in any error of the client's
            raise self._unusable(error) from error
        self._own = threading.local()

    @property
    def server(self) -> str:
        """The API server's URL."""
        return str(self.configuration.host)

    def get(self, path: str, **query: str) -> dict[str, Any]:
        """GET as JSON; raises PodpathError when the server cannot be reached or refuses."""
        return self._call("GET", path, query)

    def delete(self, path: str, **query: str) -> dict[str, Any]:
        """DELETE as JSON; raises PodpathError like ``get``."""
        return self._call("DELETE", path, query)

    def patch(self, path: str, change: Mapping[str, Any]) -> dict[str, Any]:
        """PATCH by a JSON merge patch (RFC 7386); raises PodpathError like ``get``."""
        return self._call("PATCH", path, {}, change)

    def post(self, path: str, made: Mapping[str, Any]) -> dict[str, Any]:
        """POST of a new object; raises PodpathError like ``get``."""
        return self._call("POST", path, {}, made)

    def items(self, path: str) -> list[Any]:
        """The items of a list, page by page; an API that the cluster does not have has none."""
        try:
            return listed(self.get, path)
        except NotThere:
            return []

    def _call(
        self, method: str, path: str, query: Mapping[str, str], body: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        client = self._client()
        form = "application/merge-patch+json" if method == "PATCH" else "application/json"
        kind = {"Content-Type": form} if body is not None else {}
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
            raise PodpathError(self._unreached(error)) from error
        if not 200 <= response.status <= 299:
            raise self._refused(method, path, response.status, text_of(data))
        try:
            loaded: dict[str, Any] = json.loads(data)
        except ValueError:
            raise PodpathError(f"what answered {method} {path} is no API server: {self._again}.") from None
        return loaded

    @property
    def _again(self) -> str:
        return f"run scripts/up {self.stack}"

    def _unusable(self, error: Exception) -> PodpathError:
        why = f"the kubeconfig {self._kubeconfig} is damaged ({type(error).__name__})"
        return PodpathError(f"{why}: {self._again}, which writes it anew.")

    def _unreached(self, error: Exception) -> str:
        if not self._given:
            return f"no cluster answers for stack {self.stack}: run scripts/up {self.stack}."
        why = printable(str(getattr(error, "reason", None) or error)).rpartition(": ")[2].strip("')> ")
        return (
            f"the cluster of stack {self.stack} does not answer at {self.server} ({why[:120]}): "
            f"see that this machine reaches it, or correct `context` in stacks/{self.stack}.yaml."
        )

    def _refused(self, method: str, path: str, status: int, text: str) -> PodpathError:
        """What the server's refusal means: who may not do what (403), or that it knows nobody (401)."""
        try:
            said = str(json.loads(text)["message"])
        except (ValueError, KeyError, TypeError):
            said = (text.strip().splitlines() or [""])[0]
        said = printable(said)[:300]
        if status == 401:
            return PodpathError(
                f"the API server at {self.server} does not accept the credentials of stack {self.stack} "
                "(401: missing, wrong or expired): renew them, then run the command again."
            )
        if status == 403:
            return Forbidden(f"the API server forbids it: {said}")
        kind_of = NotThere if status == 404 else PodpathError
        return kind_of(f"the API server answered {method} {path} with {status}: {said[:200]}")

    def _client(self) -> Any:
        if not hasattr(self._own, "client"):
            from kubernetes.client.api_client import ApiClient

            try:
                self._own.client = ApiClient(self.configuration)
            except ssl.SSLError as error:
                raise self._unusable(error) from error
        return self._own.client
