"""Two backends, ``shop`` and ``blog``, and an Ingress ``frontend`` that routes by host and path."""

from __future__ import annotations

from pulumi_kubernetes.networking import v1 as net

from labs.containers import server, serving_pod
from labs.lab import Lab

SIZE = ("50m", "50Mi")
CLASS = "cloud-provider-kind"
ROUTES: dict[str, dict[str, str]] = {
    "shop.podpath.test": {"/": "shop"},
    "blog.podpath.test": {"/": "blog"},
    "www.podpath.test": {"/shop": "shop", "/blog": "blog"},
}
"""Host → path prefix → backend; any other host or path is answered by no backend."""


class IngressL7(Lab):
    """The frontend's pair of containers twice, each behind a Service, both behind one Ingress."""

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
        net.Ingress(
            self.urn_name("frontend"),
            metadata=self.meta("frontend"),
            spec=net.IngressSpecArgs(
                ingress_class_name=CLASS, rules=[_rule(host, paths) for host, paths in ROUTES.items()]
            ),
            opts=self.deleted_alone(),
        )
        self.exports["ingresses"]["frontend"] = {"class": CLASS, "hosts": ROUTES}


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
