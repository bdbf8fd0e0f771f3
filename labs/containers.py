"""The specs that the labs' Pods share: containers of our images with the least rights that work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pulumi_kubernetes.core import v1
from pulumi_kubernetes.meta import v1 as meta

from labs.target import Images

IDENTITY_FOLDER = "/var/run/podpath"
"""The folder with ``token`` in a container: its payload names the Pod and its node (KEP-4193)."""

HOSTNAME = "kubernetes.io/hostname"
USER = 10001
PORT_NAMES = {80: "nginx", 8080: "webapp"}
"""Names of Service ports: the article prints none, but the API refuses two unnamed ports."""


def restricted() -> v1.SecurityContextArgs:
    """A container's part of Pod Security ``restricted``, and a root file system that cannot be written."""
    return v1.SecurityContextArgs(
        allow_privilege_escalation=False,
        capabilities=v1.CapabilitiesArgs(drop=["ALL"]),
        read_only_root_filesystem=True,
    )


def unprivileged(sysctls: Mapping[str, str] | None = None) -> v1.PodSecurityContextArgs:
    """A Pod's part of Pod Security ``restricted``."""
    return v1.PodSecurityContextArgs(
        run_as_non_root=True,
        run_as_user=USER,
        run_as_group=USER,
        fs_group=USER,
        seccomp_profile=v1.SeccompProfileArgs(type="RuntimeDefault"),
        sysctls=[v1.SysctlArgs(name=name, value=value) for name, value in (sysctls or {}).items()] or None,
    )


def requests(cpu: str, memory: str) -> v1.ResourceRequirementsArgs:
    """Resource requests without limits, as the article prints them."""
    return v1.ResourceRequirementsArgs(requests={"cpu": cpu, "memory": memory})


def server(
    images: Images,
    workload: str,
    port: int,
    size: tuple[str, str],
    *,
    command: Sequence[str] | None = None,
    env: Mapping[str, str] | None = None,
    secrets: Mapping[str, v1.SecretKeySelectorArgs] | None = None,
    started: str | None = None,
    protocol: str | None = None,
    last_words: Sequence[str] = (),
) -> v1.ContainerArgs:
    """A container named after its workload that serves ``port``; ``size`` is its cpu and memory request.

    ``env`` and ``secrets`` are its environment: values, and references to values in Secrets.
    ``started`` is a path that answers once the server is up, or empty if ``port`` then accepts a connection.
    It becomes a startup probe, never a readiness probe: after the start the kubelet adds no packet to what a
    lab observes. ``last_words`` is a command that runs to its end before the server is told to end (preStop).
    """
    plain = [v1.EnvVarArgs(name=name, value=value) for name, value in (env or {}).items()]
    secret = [
        v1.EnvVarArgs(name=name, value_from=v1.EnvVarSourceArgs(secret_key_ref=key))
        for name, key in (secrets or {}).items()
    ]
    return v1.ContainerArgs(
        name=workload,
        image=images.of(workload),
        image_pull_policy="IfNotPresent",
        command=[*command] if command else None,
        env=[*plain, *secret] or None,
        ports=[v1.ContainerPortArgs(container_port=port, protocol=protocol)],
        resources=requests(*size),
        security_context=restricted(),
        startup_probe=_startup(started, port) if started is not None else None,
        lifecycle=_ending(last_words) if last_words else None,
        volume_mounts=[
            v1.VolumeMountArgs(name="identity", mount_path=IDENTITY_FOLDER, read_only=True),
            v1.VolumeMountArgs(name=f"{workload}-tmp", mount_path="/tmp"),
        ],
    )


def _ending(command: Sequence[str]) -> v1.LifecycleArgs:
    run = v1.ExecActionArgs(command=[*command])
    return v1.LifecycleArgs(pre_stop=v1.LifecycleHandlerArgs(exec_=run))


def _startup(path: str, port: int) -> v1.ProbeArgs:
    """Tries each second for a minute."""
    get = v1.HTTPGetActionArgs(path=path, port=port) if path else None
    accepts = None if path else v1.TCPSocketActionArgs(port=port)
    return v1.ProbeArgs(http_get=get, tcp_socket=accepts, period_seconds=1, failure_threshold=60)


def serving_pod(
    containers: Mapping[str, v1.ContainerArgs],
    restart_policy: str | None = None,
    affinity: v1.AffinityArgs | None = None,
    grace: int = 1,
) -> v1.PodSpecArgs:
    """The Pod of ``containers`` (workload → container), with what the article's listings leave out.

    That is: no rights, an identity to answer with, and a grace period of ``grace`` seconds: hardly anything
    needs more than one, and the namespace controller checks only every half of it whether the Pods are gone.
    Ports below 1024 are opened to everyone in the Pod's own network namespace by a safe sysctl, so nginx
    listens on 80 without a capability.
    """
    return v1.PodSpecArgs(
        containers=[*containers.values()],
        restart_policy=restart_policy,
        affinity=affinity,
        automount_service_account_token=False,
        termination_grace_period_seconds=grace,
        security_context=unprivileged({"net.ipv4.ip_unprivileged_port_start": "0"}),
        volumes=[
            v1.VolumeArgs(
                name="identity",
                projected=v1.ProjectedVolumeSourceArgs(
                    sources=[
                        v1.VolumeProjectionArgs(
                            service_account_token=v1.ServiceAccountTokenProjectionArgs(
                                audience="podpath", path="token"
                            )
                        )
                    ]
                ),
            ),
            *(
                v1.VolumeArgs(name=f"{name}-tmp", empty_dir=v1.EmptyDirVolumeSourceArgs())
                for name in containers
            ),
        ],
    )


def spread(labels: Mapping[str, str]) -> v1.TopologySpreadConstraintArgs:
    """Pods with ``labels`` on as many nodes as may run them, so that paths within and across nodes exist.

    Taints are honoured: a control plane that takes no Pods would count as an empty node otherwise,
    and the third Pod on two workers would never be scheduled. Only the Pods of one revision count: those
    that are about to end would else let all new ones come to one node.
    """
    return v1.TopologySpreadConstraintArgs(
        max_skew=1,
        topology_key=HOSTNAME,
        when_unsatisfiable="DoNotSchedule",
        node_taints_policy="Honor",
        match_label_keys=["pod-template-hash"],
        label_selector=meta.LabelSelectorArgs(match_labels={**labels}),
    )


def beside(labels: Mapping[str, str]) -> v1.AffinityArgs:
    """Only on a node that runs a Pod with ``labels``, of the same namespace."""
    term = _on_one_node(labels)
    return v1.AffinityArgs(
        pod_affinity=v1.PodAffinityArgs(required_during_scheduling_ignored_during_execution=[term])
    )


def apart(labels: Mapping[str, str], alone: bool = False) -> v1.AffinityArgs | None:
    """Only on a node that runs no Pod with ``labels``, of the same namespace; anywhere if a node is alone."""
    if alone:
        return None
    term = _on_one_node(labels)
    return v1.AffinityArgs(
        pod_anti_affinity=v1.PodAntiAffinityArgs(required_during_scheduling_ignored_during_execution=[term])
    )


def _on_one_node(labels: Mapping[str, str]) -> v1.PodAffinityTermArgs:
    return v1.PodAffinityTermArgs(
        topology_key=HOSTNAME, label_selector=meta.LabelSelectorArgs(match_labels={**labels})
    )
