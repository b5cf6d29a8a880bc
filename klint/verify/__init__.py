"""Put findings to the test: replay each site in torch, and compare with what the loss should be.

Nothing of the user's code is imported or run. torch is imported by a confined worker process alone, never here.
"""

from __future__ import annotations

from klint.verify.errors import VerifyError
from klint.verify.options import VerifyOptions
from klint.verify.protocol import Run
from klint.verify.results import Result, SiteResult, SiteVerdict, Verdict, VerifyReport
from klint.verify.verifier import verify_diagnoses, verify_paths

__all__ = [
    "Result",
    "Run",
    "SiteResult",
    "SiteVerdict",
    "Verdict",
    "VerifyError",
    "VerifyOptions",
    "VerifyReport",
    "verify_diagnoses",
    "verify_paths",
]
