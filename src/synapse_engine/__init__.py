"""Synapse Engine: run all your GGUF models behind one address."""

from importlib.metadata import version

__version__ = version("synapse-engine")
