"""The rewards in the form that other training frameworks call, one module each; none is imported here."""
