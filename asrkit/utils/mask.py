"""Secrets in text that is kept or shown: of URLs, and of the environment."""

import os
import re
from collections.abc import Mapping
from typing import Any

HIDDEN = "***"

_NAMES = re.compile(
    r"SECRET|PASSW(OR)?D|PASSPHRASE|CREDENTIAL|(^|_)(API)?(KEY|TOKEN)S?(_|$)",
    re.IGNORECASE,
)
"""Names of variables of the environment that hold secrets, e.g. HF_TOKEN."""
_SHORTEST = 8
"""Characters of a secret: shorter values, as true or none, stand for other things."""
_USER = re.compile(r"(?<=://)[^/\s'\"]*@")
"""User and password of a URL."""
_QUERY = re.compile(r"(?<=://)([^\s'\"?]*\?)[^\s'\"]*[^\s'\":;,.)\]]")
"""A URL's query, as holds the signature of a link that is signed."""


def mask(text: str) -> str:
    """Hide the user and the query of URLs, and values of secret environment variables.

    Args:
        text: Of a log, a message or a configuration.
    """
    for secret in _secrets():
        text = text.replace(secret, HIDDEN)
    return _QUERY.sub(rf"\g<1>{HIDDEN}", _USER.sub(f"{HIDDEN}@", text))


def masked(value: Any) -> Any:
    """Hide secrets in all text of a plain value: dicts, lists, text and numbers."""
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, Mapping):
        return {key: masked(one) for key, one in value.items()}
    if isinstance(value, list):
        return [masked(one) for one in value]
    return value


def _secrets() -> list[str]:
    """Return the values to hide, the longest first: one may hold another."""
    found = {
        value
        for name, value in os.environ.items()
        if len(value) >= _SHORTEST and _NAMES.search(name)
    }
    return sorted(found, key=len, reverse=True)
