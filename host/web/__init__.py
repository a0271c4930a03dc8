"""HTTP: from the WSGI environment to a plugin's handler and back. Falcon stops here."""
