"""Entry point of `python -m gans`."""


def main() -> None:
    """Runs the command line."""
    from cli import main as run

    run()


if __name__ == "__main__":
    main()
