"""What operators run: protocols of named steps, written in TOML, that are checked, rehearsed, carried out and resumed."""
