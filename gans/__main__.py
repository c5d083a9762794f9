"""`python -m gans`: the command."""


def main() -> None:
    """Runs the command."""
    from cli import main as run

    run()


if __name__ == "__main__":
    main()
