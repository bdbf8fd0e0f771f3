"""What podpath asks, and how it judges the answers: a check is one file, from what it sends to its verdict.

Nothing here knows the Kubernetes client, Docker or Pulumi: checks can be listed, drawn and replayed without a
cluster. To follow a probe, read its lab, then its check.
"""
