"""What operators run: protocols made of named steps, and the runner that carries them out."""
