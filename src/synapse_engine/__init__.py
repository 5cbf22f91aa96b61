"""Synapse Engine: run all your GGUF models behind one address."""

__version__ = "0.1.0"
