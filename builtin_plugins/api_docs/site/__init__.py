"""The documentation site at ``/docusaurus/`` (local REST contract, 9.2)."""
