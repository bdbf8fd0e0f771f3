"""Two backends, ``shop`` and ``blog``; an Ingress and a Gateway ``frontend`` route by host and path."""

from __future__ import annotations

from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.networking import v1 as net

from labs.containers import server, serving_pod
from labs.lab import Lab
from labs.terms import NONE

SIZE = ("20m", "50Mi")
GATEWAY_API = "gateway.networking.k8s.io/v1"
ROUTES: dict[str, dict[str, str]] = {
    "shop.podpath.test": {"/": "shop"},
    "blog.podpath.test": {"/": "blog"},
    "www.podpath.test": {"/shop": "shop", "/blog": "blog"},
}
"""Host → path prefix → backend; any other host or path is answered by no backend."""


class IngressL7(Lab):
    """The frontend's pair twice, each behind a Service, both behind an Ingress and a Gateway."""

    def build(self) -> None:
        """Nothing waits for anything: an Ingress names its Services, which may come later."""
        for name in ("shop", "blog"):
            self.deployment(
                name,
                1,
                serving_pod(
                    {
                        "nginx": server(self.images, "nginx", 80, SIZE, started="/"),
                        "webapp": server(self.images, "webapp", 8080, SIZE),
                    }
                ),
            )
            self.service(name, {80: "nginx"}, selects={"app": name})
        self.exports["gateways"] = {}
        if self.terms.ingress != NONE:
            self._ingress()
        if self.terms.gateway != NONE:
            self._gateway()

    def _ingress(self) -> None:
        """One rule per host."""
        net.Ingress(
            self.urn_name("frontend"),
            metadata=self.meta("frontend"),
            spec=net.IngressSpecArgs(
                ingress_class_name=self.terms.ingress,
                rules=[_rule(host, paths) for host, paths in ROUTES.items()],
            ),
            opts=self.deleted_alone(),
        )
        self.exports["ingresses"]["frontend"] = {"class": self.terms.ingress, "hosts": ROUTES}

    def _gateway(self) -> None:
        """The same routes once more, as a Gateway and one HTTPRoute per host."""
        self.exports["gateways"] = {"frontend": {"class": self.terms.gateway, "hosts": ROUTES}}
        CustomResource(
            self.urn_name("gateway"),
            api_version=GATEWAY_API,
            kind="Gateway",
            metadata=self.meta("frontend"),
            spec={
                "gatewayClassName": self.terms.gateway,
                "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}],
            },
            opts=self.deleted_alone(),
        )
        for host, paths in ROUTES.items():
            CustomResource(
                self.urn_name(f"route-{host.split('.')[0]}"),
                api_version=GATEWAY_API,
                kind="HTTPRoute",
                metadata=self.meta(host.split(".")[0]),
                spec={
                    "parentRefs": [{"name": "frontend"}],
                    "hostnames": [host],
                    "rules": [_match(path, service) for path, service in paths.items()],
                },
                opts=self.gone_with_namespace(),
            )


def _match(path: str, service: str) -> dict[str, object]:
    return {
        "matches": [{"path": {"type": "PathPrefix", "value": path}}],
        "backendRefs": [{"name": service, "port": 80}],
    }


def _rule(host: str, paths: dict[str, str]) -> net.IngressRuleArgs:
    return net.IngressRuleArgs(
        host=host,
        http=net.HTTPIngressRuleValueArgs(
            paths=[
                net.HTTPIngressPathArgs(
                    path=path,
                    path_type="Prefix",
                    backend=net.IngressBackendArgs(
                        service=net.IngressServiceBackendArgs(
                            name=service, port=net.ServiceBackendPortArgs(number=80)
                        )
                    ),
                )
                for path, service in paths.items()
            ]
        ),
    )


COMPONENT = IngressL7
