"""Others that carry records over a link, beside us: same records, same link, same machine, one run.

``make bench-peers`` installs the ThingsBoard IoT Gateway in an environment of its own, configures a
Mosquitto bridge, and prints a table.
"""
