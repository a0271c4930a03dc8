"""``python -m host`` is ``stagebox``."""

from host.cli import main

if __name__ == "__main__":
    main(prog_name="stagebox")
