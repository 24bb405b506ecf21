import sys

from runtime.launch.cli import main

if __name__ == "__main__":
    sys.exit(main(program="python -m runtime"))
