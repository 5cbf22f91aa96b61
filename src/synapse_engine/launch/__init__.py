"""From a model and its settings to a running llama-server process."""
