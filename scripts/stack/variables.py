"""The environment in which a bare ``pulumi up`` or ``kubectl`` works on a stack."""

from __future__ import annotations

import os

from scripts.environment import downloading
from scripts.paths import ROOT, STATE, cache, private_folder
from scripts.stack.profile import Profile

DEFAULT_PASSPHRASE = (
    "podpath"  # protects nothing: the labs' secrets are made up, the state is 0700 in the checkout
)
PASSPHRASES = ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE")
SALT = "v1:aK7Bs+9xYZQ=:v1:hjxkNDrFqJSWW5cr:Nv8ZuDwi/9hOnwLCSFv3Qa1Qs1vOzg=="
"""The ``encryptionsalt`` of stacks/Pulumi.*.yaml as they come: it fits the default passphrase."""


def environment(stack: str) -> dict[str, str]:
    """The variables that ``scripts/env`` prints.

    The caller's own passphrase counts for a stack that was encrypted by it: one with another salt than ours.
    """
    profile = Profile(stack)
    ours = profile.salt == SALT or not any(os.environ.get(name) is not None for name in PASSPHRASES)
    bins = [str(STATE / "bin"), str(ROOT / ".venv" / "bin")]
    rest = [entry for entry in os.environ.get("PATH", "").split(os.pathsep) if entry not in bins]
    return {
        "PATH": os.pathsep.join([*bins, *rest]),
        "KUBECONFIG": str(profile.kubeconfig),
        "KUBECACHEDIR": str(profile.folder / "kube-cache"),
        "PULUMI_BACKEND_URL": private_folder(STATE / "state").as_uri(),
        "PULUMI_HOME": str(private_folder(cache() / "pulumi-home")),
        **({PASSPHRASES[0]: DEFAULT_PASSPHRASE} if ours else {}),
        "PULUMI_STACK": stack,
        "PULUMI_PARALLEL": "64",  # nearly all of the time is waiting; the default is four a processor
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",  # pulumi lists the packages by pip at each start
        "PULUMI_AUTOMATION_API_SKIP_VERSION_CHECK": "true",
        **_beside_proxies(),
    }


def _beside_proxies() -> dict[str, str]:
    """Where the shell of ``scripts/env`` has proxies, they are for nothing that is on this machine."""
    proxies = downloading()
    known = [one for name in ("no_proxy", "NO_PROXY") for one in proxies.get(name, "").split(",") if one]
    own = ",".join(dict.fromkeys([*known, "localhost", "127.0.0.1"]))
    return {"no_proxy": own, "NO_PROXY": own} if proxies else {}
