"""`python -m assay`, for places where the console script is not on the path."""

from assay.cli import main

if __name__ == "__main__":
    main()
