"""Which labs are deployed, and each of them as a component."""

from __future__ import annotations

import json
import os
from importlib import import_module

import pulumi

from labs import LABS, module_of
from labs.lab import Lab
from labs.target import Images
from labs.terms import Terms

LABS_VARIABLE = "PODPATH_LABS"
"""Selects the labs of one ``scripts/up``: ``pulumi up --config`` would change the tracked stack file."""


def chosen(config: pulumi.Config) -> tuple[str, ...]:
    """The labs that PODPATH_LABS or the stack's ``podpath:labs`` names, in the article's order.

    The setting is a list or a text with commas; unset means all. Raises RunError for an unknown lab.
    """
    setting = os.environ.get(LABS_VARIABLE) or config.get("labs")
    if not setting:
        return LABS
    try:
        loaded = json.loads(setting)  # a YAML list of the stack's file arrives as JSON
    except ValueError:
        loaded = setting.split(",")
    asked = [str(name).strip() for name in loaded] if isinstance(loaded, list) else [setting]
    unknown = sorted({*asked} - {*LABS})
    if unknown:
        raise pulumi.RunError(f"there is no lab {', '.join(unknown)}: podpath:labs knows {', '.join(LABS)}.")
    return tuple(lab for lab in LABS if lab in asked)


def deploy_labs(
    names: tuple[str, ...], images: Images, opts: pulumi.ResourceOptions, terms: Terms | None = None
) -> dict[str, Lab]:
    """Declares the labs; none depends on another, so all of them are created at once."""
    return {name: component_of(name)(name, images, opts, terms) for name in names}


def component_of(lab: str) -> type[Lab]:
    """A lab's component: the one subclass of Lab that its component.py defines."""
    module = import_module(f"{module_of(lab)}.component")
    component: type[Lab] = module.COMPONENT
    return component
