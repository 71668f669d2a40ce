"""Runs functions as checks, one line each."""

import sys
import time
import traceback


def run(*checks):
    failed = 0
    for check in checks:
        begin = time.monotonic()
        try:
            check()
            print(f"  ok      {check.__name__} ({(time.monotonic() - begin) * 1000:.0f} ms)")
        except Exception:
            failed += 1
            print(f"  FAILED  {check.__name__}")
            traceback.print_exc()
    sys.exit(1 if failed else 0)


def refused(call, text, code):
    """The call is refused with a status, of gRPC or of HTTP, whose message has the text."""
    try:
        call()
    except Exception as error:
        assert text in error.message(), error.message()
        assert error.status() in (f"StatusCode.{code}", code), error.status()
        return
    raise AssertionError("it was accepted")
