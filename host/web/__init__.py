"""HTTP: from the WSGI environment to a plugin's handler and back. Falcon stops here."""

from host.web.layer import WebLayer

__all__ = ["WebLayer"]
