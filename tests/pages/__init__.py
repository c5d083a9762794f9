"""The pages of docs/: their commands, their code and their notebook."""
