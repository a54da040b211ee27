"""Real authorization servers on loopback: how each is installed, started and judged."""
