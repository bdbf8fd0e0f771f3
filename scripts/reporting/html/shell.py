"""What every page is made in: the templates, and the shell with its style, its script and its policy."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.reporting.html import words
from scripts.reporting.html.lanes import CENTRE
from scripts.runs.metrules import met

if TYPE_CHECKING:
    from jinja2 import Environment, Template

TEMPLATES = Path(__file__).parent / "templates"
STYLE, SCRIPT = ("theme.css", "drawing.css", "page.css"), ("play.js", "page.js")


def template(name: str) -> Template:
    """A template, in which whatever it is given is escaped."""
    return _environment().get_template(name)


def shell(title: str, style: tuple[str, ...] = STYLE) -> dict[str, Any]:
    """What ``base.html`` needs: the title, style and script, and the policy that allows nothing else."""
    css, script = ("\n".join((TEMPLATES / name).read_text() for name in names) for names in (style, SCRIPT))
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(css)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    return {"title": title, "style": safe(css), "script": safe(script), "policy": policy}


def safe(text: str) -> Any:
    """Text of our own templates, which is not escaped again."""
    from markupsafe import Markup

    return Markup(text)


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        auto_reload=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "sign": words.sign,
        "tone": words.tone,
        "many": words.many,
        "met": met,
        "headline": words.headline,
        "RED": words.RED,
        "lanes": tuple(CENTRE.items()),
    }
    return environment
