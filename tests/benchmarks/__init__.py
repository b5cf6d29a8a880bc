"""How fast klint is, measured where that matters. Run by hand: what a machine does at the moment is no test."""
