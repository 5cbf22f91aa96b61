"""`python -m synapse_engine` is `synapse`."""

from synapse_engine.cli import main

main(prog_name="synapse")
