"""What stands between a client and a model: nothing, ours, HAProxy, llama-server's router, llama-swap."""
