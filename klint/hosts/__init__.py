"""The programs that call klint, one thin adapter each."""
