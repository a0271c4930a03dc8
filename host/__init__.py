"""The Stagebox host: a small core that loads plugins and serves what they bring."""
