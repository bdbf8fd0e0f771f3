"""A cluster that somebody else made: podpath makes its own namespaces there, and nothing else."""
