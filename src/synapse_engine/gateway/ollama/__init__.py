"""Ollama's dialect: translated to what llama-server speaks, and back."""
