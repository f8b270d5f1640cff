"""Numbers of published tables, each with the protocol that it belongs to: a file PAPER/NAME.yaml for each table."""
