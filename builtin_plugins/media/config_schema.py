"""Checking a provider's config by the schema of its implementation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from plugin_sdk import Invalid, MetadataProvider, Problem

__all__ = ["check_config"]


def check_config(implementation: type[MetadataProvider], config: Mapping[str, Any]) -> None:
    """Raises Invalid with every problem. A schema that is none checks nothing: what it was
    meant to say, nobody knows."""
    try:
        Draft202012Validator.check_schema(implementation.config_schema)
    except SchemaError:
        return
    validator = Draft202012Validator(implementation.config_schema)
    problems = [
        # The value may be a secret: only which rule it breaks is told.
        _problem(error)
        for error in validator.iter_errors(dict(config))
    ]
    if problems:
        raise Invalid("The config is not valid.", details=problems)


def _problem(error: Any) -> Problem:
    path = ".".join(str(part) for part in error.absolute_path)
    return Problem(path, f"{path} {_sentence(error)}".strip())


def _sentence(error: Any) -> str:
    if error.validator == "required":
        missing = [name for name in error.validator_value if name not in error.instance]
        return f"{', '.join(missing)} is required"
    return f"must fit {error.validator}: {error.validator_value!r}"
