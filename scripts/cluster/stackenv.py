"""The environment in which a bare ``pulumi up`` or ``kubectl`` works on a stack."""

from __future__ import annotations

import os

from scripts.cluster.profile import Profile
from scripts.paths import ROOT, STATE, cache, private_folder

DEFAULT_PASSPHRASE = (
    "podpath"  # protects nothing: the labs' secrets are made up, the state is 0700 in the checkout
)


def environment(stack: str) -> dict[str, str]:
    """The variables that ``scripts/env`` prints; a passphrase of the caller's own is kept."""
    profile = Profile(stack)
    bins = [str(STATE / "bin"), str(ROOT / ".venv" / "bin")]
    rest = [entry for entry in os.environ.get("PATH", "").split(os.pathsep) if entry not in bins]
    return {
        "PATH": os.pathsep.join([*bins, *rest]),
        "KUBECONFIG": str(profile.kubeconfig),
        "KUBECACHEDIR": str(profile.folder / "kube-cache"),
        "PULUMI_BACKEND_URL": f"file://{private_folder(STATE / 'state')}",
        "PULUMI_HOME": str(private_folder(cache() / "pulumi-home")),
        "PULUMI_CONFIG_PASSPHRASE": os.environ.get("PULUMI_CONFIG_PASSPHRASE", DEFAULT_PASSPHRASE),
        "PULUMI_STACK": stack,
        "PULUMI_PARALLEL": "64",  # nearly all of the time is waiting; the default is four a processor
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",  # pulumi lists the packages by pip at each start
        "PULUMI_AUTOMATION_API_SKIP_VERSION_CHECK": "true",
    }
