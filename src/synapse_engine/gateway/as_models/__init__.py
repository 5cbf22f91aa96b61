"""Modes under models' names, for clients that know nothing of modes."""
