"""All servers: what state each is in, and the only way to change it."""
