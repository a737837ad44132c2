# SPDX-License-Identifier: MIT
"""What bench/peers/servers.py is made of: servers that run, three ways to load them, goals, tables."""
