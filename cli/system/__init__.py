"""The program as part of a machine: its releases, how one follows another, what systemd is given."""
