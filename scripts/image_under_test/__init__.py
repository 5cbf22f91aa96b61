"""What `test_image.py` builds and runs the container's image with."""
