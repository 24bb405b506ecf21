"""What the operating system does for files: sharing, holes, the way past its cache, renames."""
