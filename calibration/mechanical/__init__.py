"""Procedures for lattices of servo-tuned springs: what each sensor shows, what each servo does."""
