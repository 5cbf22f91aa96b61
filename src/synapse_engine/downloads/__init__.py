"""Models fetched from Hugging Face: what a name means, what a repository offers, and the fetching itself."""
