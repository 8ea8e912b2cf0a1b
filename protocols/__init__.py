"""What operators run: protocols of named steps in TOML, checked, rehearsed, carried out and resumed."""
