"""Ways to answer a question with one or more models."""
