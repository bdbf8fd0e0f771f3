"""The errors a person sees: one sentence that says what was wrong and what to type."""

from __future__ import annotations

EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_ENVIRONMENT = 0, 1, 2, 3


class PodpathError(Exception):
    """Something in the surroundings is missing or refuses; ends a command with exit code 3."""

    exit_code = EXIT_ENVIRONMENT


class UsageError(PodpathError):
    """What was typed cannot be meant; ends a command with exit code 2."""

    exit_code = EXIT_USAGE
