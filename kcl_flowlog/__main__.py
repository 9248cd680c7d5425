"""`python -m kcl_flowlog` is the command `kcl-flowlog`."""

from kcl_flowlog.cli import main

if __name__ == "__main__":
    main()
