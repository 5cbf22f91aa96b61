"""REST for the page, the shell and programs; the web's edge."""
