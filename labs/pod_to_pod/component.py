"""The article's chain: ``frontend`` asks the REST microservice beside it, which asks a database elsewhere."""

from __future__ import annotations

import pulumi
from pulumi_kubernetes.apps import v1 as apps
from pulumi_kubernetes.core import v1
from pulumi_kubernetes.meta import v1 as meta

from labs.containers import apart, beside, server, serving_pod
from labs.lab import Lab

SIZE = ("20m", "50Mi")
REST_URL = "http://rest:8000/orders"
FRONTEND, REST, DATABASE = ({"app": name} for name in ("frontend", "rest", "database"))


class PodToPod(Lab):
    """Three workloads of one Pod each, placed by affinity: no node is named."""

    def build(self) -> None:
        """Nothing waits for anything: each request of the chain looks up the next name again."""
        password = self._password()
        self._frontend()
        self._rest(password)
        self._database(password)

    def _password(self) -> v1.SecretKeySelectorArgs:
        """Where the database's password is; its value is the stack's secret ``databasePassword``."""
        secret = v1.Secret(
            self.urn_name("database"),
            metadata=self.meta("database"),
            string_data={"password": pulumi.Config().require_secret("databasePassword")},
            opts=self.gone_with_namespace(),
        )
        return v1.SecretKeySelectorArgs(name=secret.metadata.name, key="password")

    def _frontend(self) -> None:
        """On the node of the REST service: this part of the chain stays on a node."""
        self.deployment(
            "frontend",
            1,
            serving_pod(
                {
                    "nginx": server(self.images, "nginx", 80, SIZE, started="/"),
                    "webapp": server(self.images, "webapp", 8080, SIZE, env={"REST_URL": REST_URL}),
                },
                affinity=beside(REST),
            ),
        )
        self.service("frontend", {80: "nginx"}, selects=FRONTEND)

    def _rest(self, password: v1.SecretKeySelectorArgs) -> None:
        """Never on the database's node: this part of the chain crosses nodes."""
        rest = server(
            self.images,
            "rest",
            8000,
            SIZE,
            env={"DATABASE_HOST": "database", "DATABASE_NAME": "shop", "DATABASE_USER": "rest"},
            secrets={"DATABASE_PASSWORD": password},
            started="/whoami",
        )
        self.deployment("rest", 1, serving_pod({"rest": rest}, affinity=apart(DATABASE, self.terms.alone)))
        self.service("rest", {8000: "rest"}, selects=REST)

    def _database(self, password: v1.SecretKeySelectorArgs) -> None:
        """The StatefulSet names its Service by a constant, for the reason given in ``pod_to_service``.

        The database's first start, which fills it, listens on no address: only the real one accepts.
        """
        secrets = {"POSTGRES_PASSWORD": password}
        database = server(self.images, "database", 5432, SIZE, secrets=secrets, started="")
        apps.StatefulSet(
            self.urn_name("database"),
            metadata=self.meta("database"),
            spec=apps.StatefulSetSpecArgs(
                service_name="database",
                replicas=1,
                selector=meta.LabelSelectorArgs(match_labels=DATABASE),
                template=v1.PodTemplateSpecArgs(
                    metadata=meta.ObjectMetaArgs(labels=DATABASE),
                    spec=serving_pod({"database": database}, affinity=apart(REST, self.terms.alone)),
                ),
            ),
            opts=self.gone_with_namespace(),
        )
        self.service("database", {5432: "database"}, selects=DATABASE, headless=True)
        self.exports["pods"]["database"] = {"selector": "app=database"}


COMPONENT = PodToPod
