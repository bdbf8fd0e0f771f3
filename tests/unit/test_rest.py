"""The API server's REST side, as far as it needs no cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.errors import PodpathError
from scripts.transport.rest import Rest


def test_no_cluster_is_told_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(PodpathError, match=r"no cluster answers for stack kind: run scripts/up kind\.$"):
        Rest(tmp_path / "kubeconfig", "kind")
    config = tmp_path / "kubeconfig"
    config.write_text(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\n"
        "contexts: [{name: c, context: {cluster: k, user: u}}]\nusers: [{name: u, user: {token: t}}]\n"
        "clusters: [{name: k, cluster: {server: 'https://127.0.0.1:1'}}]\n"
    )
    with pytest.raises(PodpathError, match="no cluster answers"):
        Rest(config, "kind").get("/version")
