"""The plugins that come with Stagebox, each written on the public SDK alone."""
