"""What a user meets, whole: the public surface, and the bytes of files."""
