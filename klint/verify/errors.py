"""What can go wrong with a whole run of ``klint verify``; what goes wrong with one finding makes that one inconclusive."""

from __future__ import annotations


class VerifyError(Exception):
    """No finding can be verified: torch is missing, a device is not there, an option is wrong. One line for the user."""
