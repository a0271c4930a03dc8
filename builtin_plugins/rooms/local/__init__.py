"""The local read face of the rooms: routes, readers, import and export (local REST contract)."""
