"""The endpoints that speak other products' dialects and route to servers."""
